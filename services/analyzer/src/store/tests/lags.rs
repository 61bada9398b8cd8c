//! Scrapes that are cut into connections which lag, stand still and lose requests, against the same scrapes whole.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::{Rig, Versions::All, ask, cart};

/// Seconds between scrapes.
const INTERVAL: i64 = 15;

/// What one scrape adds: requests, errors among them, and observations up to each bound.
type Growth = (u8, u8, [u8; 3]);

/// How one connection brings one scrape: seconds late, and whether the request gets lost.
type Delivery = (i64, bool);

#[derive(Clone, Debug)]
struct Story {
    growth: Vec<Growth>,
    /// By scrape, then by connection.
    deliveries: Vec<[Delivery; 3]>,
    /// The connection of each series.
    connections: [usize; 5],
    /// How far the sender's clock is ahead.
    ahead: i64,
}

fn story() -> impl Strategy<Value = Story> {
    let growth = vec((1_u8..100, any::<u8>(), any::<[u8; 3]>()), 12);
    let late = prop_oneof![4 => Just(0_i64), 2 => 0_i64..10, 2 => 10_i64..60];
    let delivery = (late, prop::bool::weighted(0.1));
    let deliveries = vec([delivery.clone(), delivery.clone(), delivery], 12);
    let clock = prop_oneof![4 => Just(0_i64), 1 => Just(-20), 1 => Just(5), 1 => Just(120)];
    (growth, deliveries, any::<[u8; 5]>(), clock).prop_map(|(growth, deliveries, connections, ahead)| Story {
        growth,
        deliveries,
        connections: connections.map(|it| usize::from(it % 3)),
        ahead,
    })
}

impl Story {
    /// The series of each scrape, cumulative; the first one and the last five are whole and in time.
    fn scrapes(&self) -> Vec<[(String, u64); 5]> {
        let mut sums = [0_u64; 5];
        let names = ["requests{code=200}", "requests{code=500}"].map(str::to_owned);
        let bounds = ["0.5", "1", "+Inf"].map(|bound| format!("latency_bucket{{le={bound}}}"));
        let named = |sums: &[u64; 5]| {
            let all = names.iter().chain(&bounds).cloned().zip(*sums).collect::<Vec<_>>();
            <[(String, u64); 5]>::try_from(all).unwrap()
        };
        let mut scrapes = vec![named(&sums)];
        for (requests, errors, below) in &self.growth {
            let errors = u64::from(*errors) % (u64::from(*requests) + 1);
            let mut below = below.map(|it| u64::from(it) % (u64::from(*requests) + 1));
            below[2] = u64::from(*requests);
            below.sort_unstable();
            let grown = [u64::from(*requests) - errors, errors, below[0], below[1], below[2]];
            sums.iter_mut().zip(grown).for_each(|(sum, by)| *sum += by);
            scrapes.push(named(&sums));
        }
        scrapes.extend((0..5).map(|_| named(&sums)));
        scrapes
    }

    /// What is sent, and when.
    fn requests(&self) -> Vec<(i64, String)> {
        let mut requests = Vec::new();
        let mut free_at = [0_i64; 3];
        for (number, scrape) in self.scrapes().iter().enumerate() {
            let moment = INTERVAL * number as i64;
            let delivery = number.checked_sub(1).and_then(|it| self.deliveries.get(it));
            for (connection, free_at) in free_at.iter_mut().enumerate() {
                let (late, is_lost) = delivery.map_or((0, false), |it| it[connection]);
                // A connection keeps its order.
                *free_at = (*free_at).max(moment + late);
                let own = scrape.iter().zip(self.connections).filter(|(_, own)| *own == connection);
                let lines = own.map(|((name, value), _)| format!("{name} {value}@{}", moment + self.ahead));
                let lines = lines.collect::<Vec<_>>().join("\n");
                if !is_lost && !lines.is_empty() {
                    requests.push((*free_at, lines));
                }
            }
        }
        requests.sort_by_key(|request| request.0);
        requests
    }

    fn end(&self) -> i64 {
        INTERVAL * self.growth.len() as i64 + 5 * INTERVAL + self.ahead.min(10)
    }
}

/// Errors of requests, and the histogram's total and quantiles.
fn shown(rig: &Rig, end: i64) -> (String, String) {
    let key = cart();
    let histogram = rig.store.histogram(&ask(&key, "response_time", All, end));
    let histogram = histogram.filter(|it| it.total() > 0).map(|it| {
        let quantiles = [0.5, 0.95].map(|q| format!("{:.6}", it.quantile(q).unwrap_or_default()));
        format!("{} {quantiles:?}", it.total())
    });
    (rig.ratio(All, end).replace("none", "0/0"), histogram.unwrap_or_default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn windows_show_whole_scrapes_only_and_in_the_end_all_of_them(story in story()) {
        let mut whole = Rig::new();
        let (mut ratios, mut histograms) = (BTreeSet::from(["0/0".to_owned()]), BTreeSet::from([String::new()]));
        for (number, scrape) in story.scrapes().iter().enumerate() {
            let moment = INTERVAL * number as i64;
            let lines = scrape.iter().map(|(name, value)| format!("{name} {value}@{moment}"));
            whole.send_whole(moment, &lines.collect::<Vec<_>>().join("\n"));
            let (ratio, histogram) = shown(&whole, story.end());
            ratios.insert(ratio);
            histograms.insert(histogram);
        }
        let mut rig = Rig::new();
        let mut requests = story.requests().into_iter().peekable();
        for now in 0..story.end() + 120 {
            rig.tick(now);
            while let Some((_, lines)) = requests.next_if(|request| request.0 <= now) {
                rig.send(now, &lines);
                let (ratio, histogram) = shown(&rig, story.end());
                prop_assert!(ratios.contains(&ratio), "at {now}: {ratio} of {ratios:?}");
                prop_assert!(histograms.contains(&histogram), "at {now}: {histogram} of {histograms:?}");
            }
        }
        prop_assert_eq!(shown(&rig, story.end()), shown(&whole, story.end()));
    }
}
