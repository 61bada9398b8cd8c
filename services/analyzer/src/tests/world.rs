//! Whatever may come in, at random: senders that reset, fall silent, split their scrapes, are late or lie; tools
//! and people that speak out of turn; policies that change.

use model::{
    Actor, Batch, EventBody, ReleaseId, RequestEvent, Sample, SeriesKind, ServiceKey, Verb, VerbKind,
    telemetry::STALE_NAN_BITS,
};
use proptest::prelude::*;

use super::shop::{ENVIRONMENT, Shop, at, release_id};

/// Triggers of every kind over two windows; what a load changes.
pub(super) const POLICIES: [&str; 4] = [
    r#"
defaults: { watch: { time: 3m, max: 6m }, min_requests: 5 }
rollback_triggers:
  error_rate:    { threshold: 5%, window: 2m, action: immediate_rollback }
  response_time: { threshold: 700ms, percentile: 95, window: 1m, action: immediate_rollback }
alerts:
  - { name: Held, condition: "error_rate > 5%", window: 1m, for: 45s, action: alert_team }
  - { name: Worse, condition: "error_rate > baseline * 2", window: 2m, action: prepare_rollback }
  - { name: Load, condition: "load > 5", window: 1m, for: 0s, action: alert_team }
  - { name: Burn, condition: 'alert("Burn")', for: 20s, action: alert_team }
  - { name: Torn, condition: "torn_rate > 50%", window: 1m, for: 0s, action: alert_team }"#,
    r#"
rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }
alerts:
  - { name: Burn, condition: 'alert("Burn")', for: 20s, action: alert_team }"#,
    r#"
identity: { version: [release], service: [service, app] }
rollback_triggers: { error_rate: { threshold: 5%, window: 1m, action: immediate_rollback } }"#,
    "",
];

/// What happens after so many milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Step {
    wait_ms: i64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Tick,
    Scrape(Scrape),
    Requests(Vec<(u8, bool, Option<f64>, i64)>),
    /// A line of the shop's script without its time.
    Word(String),
    RollBack(u8),
    Load(usize),
    BadLoad,
}

#[derive(Clone, Debug)]
struct Scrape {
    target: u8,
    /// A bit a series: there, there by its stale marker, there as nonsense.
    present: u16,
    stale: u16,
    odd: u16,
    grown: u8,
    is_reset: bool,
    is_whole: bool,
    is_split: bool,
    lag_ms: i64,
}

pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![
        8 => 0_i64..15_000,
        2 => 15_000_i64..90_000,
        1 => 90_000_i64..900_000,
    ];
    let step = (wait, what()).prop_map(|(wait_ms, what)| Step { wait_ms, what });
    prop::collection::vec(step, 1..most)
}

const STATUSES: &[&str] =
    &["started", "deployed", "deployed", "deployed", "promoted", "failed", "rolled_back", "removed"];

fn what() -> impl Strategy<Value = What> {
    let version = 1_u8..4;
    let request = (0_u8..4, any::<bool>(), prop::option::of(-1.0..2000.0), -40_000_i64..15_000);
    let deploy =
        (version.clone(), prop::sample::select(STATUSES), 0_u8..5).prop_map(|(version, status, more)| {
            let more = ["", "traffic=20", "previous=1", "digest=sha256:a", "traffic=50 previous=2"]
                [usize::from(more)];
            What::Word(format!("deploy checkout {version} status={status} {more}"))
        });
    let outcome = (version.clone(), prop::sample::select(&["accepted", "succeeded", "failed"][..]))
        .prop_map(|(version, status)| What::Word(format!("outcome checkout {version} {status}")));
    let alert = (any::<bool>(), version.clone()).prop_map(|(is_over, version)| {
        What::Word(format!(
            "alert Burn service=checkout version={version}{}",
            if is_over { " resolved" } else { "" }
        ))
    });
    prop_oneof![
        4 => Just(What::Tick),
        20 => scrape().prop_map(What::Scrape),
        3 => prop::collection::vec(request, 1..30).prop_map(What::Requests),
        3 => deploy,
        2 => outcome,
        2 => alert,
        1 => version.clone().prop_map(|version| What::Word(format!("cancel checkout {version}"))),
        1 => version.prop_map(What::RollBack),
        1 => (0..POLICIES.len()).prop_map(What::Load),
        1 => Just(What::BadLoad),
    ]
}

fn scrape() -> impl Strategy<Value = Scrape> {
    let rarely = || prop_oneof![4 => Just(0_u16), 1 => any::<u16>()];
    let mostly = prop_oneof![3 => Just(u16::MAX), 1 => any::<u16>()];
    let lag_ms = prop_oneof![4 => Just(0_i64), 1 => -20_000_i64..60_000];
    let flags = (prop::bool::weighted(0.1), any::<bool>(), any::<bool>());
    (0_u8..6, mostly, rarely(), rarely(), any::<u8>(), flags, lag_ms).prop_map(
        |(target, present, stale, odd, grown, (is_reset, is_whole, is_split), lag_ms)| Scrape {
            target,
            present,
            stale,
            odd,
            grown,
            is_reset,
            is_whole,
            is_split,
            lag_ms,
        },
    )
}

/// Lets all of it happen to a shop; its events are the story.
pub(super) fn shop_after(steps: &[Step]) -> Shop {
    let mut shop = Shop::new(POLICIES[0]);
    let mut world = World::default();
    let mut now_ms = 0;
    for step in steps {
        now_ms += step.wait_ms;
        shop.second = now_ms / 1000;
        world.act(&mut shop, &step.what);
    }
    shop
}

/// One scrape of each target that is like no other: replicas of one, one named by an info series, one unplaced; and
/// some requests.
pub(super) fn replicas_and_joins(shop: &mut Shop) {
    let mut world = World::default();
    for target in 2..6 {
        let (present, stale, odd) = (u16::MAX, 1 << 8, 1 << 7);
        let (is_reset, is_whole, is_split) = (false, target % 2 == 0, true);
        let scrape =
            Scrape { target, present, stale, odd, grown: 33, is_reset, is_whole, is_split, lag_ms: 0 };
        world.scrape(shop, &scrape);
    }
    let requests = [(1, false, Some(12.5), 0), (1, true, Some(900.0), -5_000), (3, false, None, 0)];
    world.act(shop, &What::Requests(requests.to_vec()));
}

/// What each sender counts.
#[derive(Default)]
struct World {
    counters: [f64; 6],
}

impl World {
    fn act(&mut self, shop: &mut Shop, what: &What) {
        match what {
            What::Tick => shop.send(EventBody::Tick),
            What::Scrape(scrape) => self.scrape(shop, scrape),
            What::Requests(requests) => {
                let requests = requests.iter().map(|request| request_event(shop.second, request));
                shop.send(EventBody::Requests(requests.collect()));
            }
            What::Word(words) => shop.act(&words.split_whitespace().collect::<Vec<_>>()),
            What::RollBack(version) => {
                let release: ReleaseId = release_id("checkout", &version.to_string(), "");
                let kind = VerbKind::Rollback { release, to_version: Some("1".into()), force: false };
                let verb = Verb { kind, actor: Actor::default(), comment: String::new() };
                shop.send(EventBody::Verb(Box::new(verb)));
            }
            What::Load(policy) => shop.load(POLICIES[*policy]),
            What::BadLoad => {
                let files = vec![("ripcord.yml".into(), "rollback_triggers: 7".into())];
                let load = model::PolicyLoad { files, origin: "reload".into() };
                shop.send(EventBody::PolicyLoad(Box::new(load)));
            }
        }
    }

    fn scrape(&mut self, shop: &mut Shop, scrape: &Scrape) {
        let counter = &mut self.counters[usize::from(scrape.target)];
        // Quarters, so that fractions are carried over.
        *counter = if scrape.is_reset { 0.0 } else { *counter } + f64::from(scrape.grown) / 4.0;
        let count = *counter;
        let mut batch = Batch { is_whole: scrape.is_whole, ..Batch::default() };
        let moment = model::Timestamp::from_millis(at(shop.second).as_millis() - scrape.lag_ms);
        let series = series_of(scrape.target, scrape.grown);
        for (bit, (labels, kind, share)) in series.iter().enumerate() {
            let has = |bits: u16| bits & (1 << (bit % 16)) != 0;
            if !has(scrape.present) {
                continue;
            }
            let value = match (has(scrape.stale), has(scrape.odd)) {
                (true, _) => f64::from_bits(STALE_NAN_BITS),
                (_, true) => [f64::NAN, -0.0, f64::INFINITY, 1e300][bit % 4],
                _ if *share < 0.0 => 1.0,
                _ => (count * share * 4.0).floor() / 4.0,
            };
            let start = (bit % 5 == 0 && scrape.is_reset).then_some(moment);
            let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
            batch.push(labels, *kind, [Sample { value, at: moment, start }]);
            if scrape.is_split && bit == 5 {
                shop.send(EventBody::Telemetry(std::mem::take(&mut batch)));
            }
        }
        shop.send(EventBody::Telemetry(batch));
    }
}

type Labels = Vec<(&'static str, String)>;

/// A target's series: labels, kind, and their share of what it counts; below zero, always one.
fn series_of(target: u8, grown: u8) -> Vec<(Labels, SeriesKind, f64)> {
    use SeriesKind::{Delta, Gauge, Unknown};
    let mut all = Vec::new();
    let mut push = |name: &str, extra: &[(&'static str, &str)], kind, share| {
        let mut labels: Labels = vec![("__name__", name.into()), ("job", "shop".into())];
        labels.extend(common_of(target).iter().map(|(name, value)| (*name, (*value).to_owned())));
        labels.extend(extra.iter().map(|(name, value)| (*name, (*value).to_owned())));
        all.push((labels, kind, share));
    };
    push("http_requests_total", &[("code", "200")], Unknown, 1.0);
    push("http_requests_total", &[("code", "500")], Unknown, if grown.is_multiple_of(3) { 0.3 } else { 0.0 });
    let bounds: &[(&str, f64)] = match target {
        1 => &[("0.1", 0.2), ("1", 0.9), ("+Inf", 1.0)],
        _ => &[("0.1", 0.1), ("0.5", 0.6), ("1", 0.8), ("2.5", 1.0), ("+Inf", 1.0)],
    };
    for (bound, share) in bounds {
        push("http_request_duration_seconds_bucket", &[("le", bound)], Unknown, *share);
    }
    push("process_load", &[], Gauge, 0.1);
    push("checkout_started_total", &[], Delta, 0.05);
    push("checkout_completed_total", &[], Unknown, 0.2);
    push("http_requests_total", &[("code", "503")], Unknown, 0.01);
    if target == 2 {
        let version = if grown < 128 { "2" } else { "3" };
        push("target_info", &[("service_name", "checkout"), ("service_version", version)], Gauge, -1.0);
    }
    all
}

fn common_of(target: u8) -> &'static [(&'static str, &'static str)] {
    match target {
        0 => &[
            ("instance", "a"),
            ("service", "checkout"),
            ("environment", ENVIRONMENT),
            ("version", "1"),
            ("release", "r1"),
        ],
        1 => &[("instance", "b"), ("service", "checkout"), ("environment", ENVIRONMENT), ("version", "2")],
        2 => &[("instance", "c"), ("environment", ENVIRONMENT)],
        3 => &[("instance", "d"), ("app", "cart"), ("environment", ENVIRONMENT), ("replica", "1")],
        4 => &[("instance", "d"), ("app", "cart"), ("environment", ENVIRONMENT), ("replica", "2")],
        _ => &[("instance", "e"), ("environment", ENVIRONMENT)],
    }
}

fn request_event(second: i64, request: &(u8, bool, Option<f64>, i64)) -> RequestEvent {
    let (version, is_error, duration_ms, ahead_ms) = *request;
    RequestEvent {
        key: ServiceKey::new(if version == 3 { "cart" } else { "checkout" }, ENVIRONMENT),
        version: (version > 0).then(|| version.to_string()),
        route: None,
        is_error,
        duration_ms,
        at: model::Timestamp::from_millis(at(second).as_millis() + ahead_ms),
    }
}
