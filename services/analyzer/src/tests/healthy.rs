//! False alarms and delay: a healthy service is left alone, a broken one is found soon.

use expect_test::expect;
use model::Proposal;

use super::shop::{Shop, check};

const LIMIT: f64 = 0.01;
const SCRAPES_PER_HOUR: usize = 240;

/// A linear congruential generator (Knuth's MMIX constants); its upper bits are good enough to fail requests by.
struct Chance(u64);

impl Chance {
    fn happens(&mut self, probability: f64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64) < probability * (1_u64 << 53) as f64
    }

    fn count(&mut self, trials: u64, probability: f64) -> u64 {
        (0..trials).filter(|_| self.happens(probability)).count() as u64
    }

    fn uniform(&mut self) -> f64 {
        self.happens(0.0);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Poisson (Knuth): events of a stretch in which `mean` are expected; made for means below a few hundred.
    fn events(&mut self, mean: f64) -> u64 {
        let floor = (-mean).exp();
        let mut product = self.uniform();
        let mut events = 0;
        while product > floor {
            product *= self.uniform();
            events += 1;
        }
        events
    }
}

fn breaches(per_scrape: u64, hours: usize, action: &str) -> usize {
    let policy = format!(
        "
defaults: {{ watch: {{ time: 23h, max: 24h }} }}
rollback_triggers: {{ error_rate: {{ threshold: {LIMIT}, window: 5m, action: {action} }} }}"
    );
    let mut chance = Chance(7 * per_scrape);
    let mut fired = 0;
    let mut shop = Shop::new(&policy);
    for hour in 0..hours {
        if hour % 20 == 0 {
            shop = Shop::new(&policy);
            shop.run("0s serve checkout 1\n 1s deploy checkout 1");
        }
        for _ in 0..SCRAPES_PER_HOUR {
            let errors = chance.count(per_scrape, LIMIT / 2.0);
            shop.arm("checkout", "1").add(per_scrape, errors);
            shop.skip_to_next_scrape();
        }
        fired += shop.proposals.drain(..).filter(|it| matches!(it, Proposal::Breach(_))).count();
    }
    fired
}

const LOOK_INTERVAL_S: i64 = 5;

/// A release under watch whose requests and errors arrive by chance.
struct Watch {
    shop: Shop,
    chance: Chance,
    rps: f64,
}

impl Watch {
    fn begin(rps: f64, action: &str, seed: u64) -> Self {
        let policy = format!(
            "rollback_triggers: {{ error_rate: {{ threshold: {LIMIT}, window: 5m, action: {action} }} }}"
        );
        let mut shop = Shop::new(&policy);
        shop.run("0s serve checkout 1\n 1s deploy checkout 1");
        Self { shop, chance: Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)), rps }
    }

    /// Lives on for so many seconds; after how many of them a limit was broken.
    fn breaks_within(&mut self, seconds: i64, error_rate: f64) -> Option<i64> {
        let expected = self.rps * LOOK_INTERVAL_S as f64;
        let looks = 1..=seconds / LOOK_INTERVAL_S;
        looks.map(|look| look * LOOK_INTERVAL_S).find(|_| {
            let errors = self.chance.events(expected * error_rate);
            let others = self.chance.events(expected * (1.0 - error_rate));
            self.shop.arm("checkout", "1").add(errors + others, errors);
            self.shop.skip(LOOK_INTERVAL_S);
            self.shop.proposals.drain(..).any(|it| matches!(it, Proposal::Breach(_)))
        })
    }
}

/// One watch of an hour with a look every 5 s; whether it broke anything.
fn watch_breaks(rps: f64, error_rate: f64, action: &str, seed: u64) -> bool {
    Watch::begin(rps, action, seed).breaks_within(3600, error_rate).is_some()
}

#[test]
fn a_watch_far_beyond_the_limit_does_break() {
    assert!(watch_breaks(1.0, 5.0 * LIMIT, "immediate_rollback", 1));
}

#[test]
#[allow(clippy::print_stderr, reason = "the figures are worth seeing")]
fn half_of_the_releases_that_begin_to_fail_a_fifth_of_their_requests_are_found_within_a_minute_and_a_look() {
    let delay = |seed| {
        let mut watch = Watch::begin(1.0, "immediate_rollback", seed);
        assert_eq!(watch.breaks_within(300, LIMIT / 10.0), None, "healthy so far");
        watch.breaks_within(600, 0.2).unwrap()
    };
    let mut delays: Vec<i64> = (1..=41).map(delay).collect();
    delays.sort_unstable();
    eprintln!("0.1 % to 20 % at 1 rps: median {} s, slowest {} s", delays[20], delays[40]);
    assert!(delays[20] <= 60 + LOOK_INTERVAL_S && delays[40] <= 120, "{delays:?}");
}

/// `HEALTHY_WATCHES=2000 cargo test -p analyzer healthy_watches -- --nocapture` runs and prints more of them.
#[test]
#[allow(clippy::print_stderr, reason = "the count is what a longer run is for")]
fn healthy_watches_with_a_look_every_five_seconds_break_nothing() {
    let wanted = std::env::var("HEALTHY_WATCHES").ok().and_then(|text| text.parse().ok()).unwrap_or(16_u64);
    let (all_rps, shares) = ([0.2, 1.0, 10.0, 100.0], [0.1, 0.4, 0.6, 0.8]);
    let each = wanted.div_ceil((all_rps.len() * shares.len()) as u64);
    for action in ["immediate_rollback", "alert_team"] {
        let mut all_broken = 0;
        for (share, rps) in shares.iter().flat_map(|share| all_rps.map(|rps| (share, rps))) {
            let seeds = 1..=each;
            let broken = seeds.filter(|seed| watch_breaks(rps, LIMIT * share, action, *seed)).count() as u64;
            all_broken += broken;
            // One in a hundred is the goal; three standard deviations of that many are chance.
            let goal = 0.01 * each as f64;
            let story = format!("{action}: {broken} of {each} at {rps} rps and {share} times the limit");
            assert!(broken as f64 <= goal + 3.0 * goal.sqrt(), "{story}");
        }
        eprintln!("{action}: {all_broken} of {} watches", each * 16);
    }
}

#[test]
fn two_hundred_healthy_hours_at_half_the_limit_break_nothing() {
    // One request a second, ten, and three a minute; the last is where the bare number would fire in six of ten
    // hours (STATISTICS 3.2).
    for (per_scrape, hours) in [(15, 80), (150, 40), (1, 80)] {
        assert_eq!(breaches(per_scrape, hours, "immediate_rollback"), 0, "{per_scrape} requests a scrape");
    }
}

#[test]
fn a_fifth_of_failures_at_one_request_a_second_is_found_within_a_minute() {
    check(
        "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }",
        "0s   serve checkout 2.4.0 rps=1 errors=0.1%
         400s serve checkout 2.4.1 rps=1 errors=20%
         400s deploy checkout 2.4.1
         480s end",
        expect![[r#"
            400s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h
            435s BREACH checkout 2.4.1: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 6/30, tail 4.8e-7 at 0.0001, baseline 0.0000 of 45 2.4.0]"#]],
    );
}
