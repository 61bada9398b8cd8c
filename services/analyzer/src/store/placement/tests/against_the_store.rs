//! Random scrapes, sliced by placement into a store a partition, beside one store that gets everything: what the
//! one places, the partition of its key places too, at the same version.

use policy::Policy;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    super::{LabelBytes, Labels, Placement},
    *,
};
use crate::store::Store;

/// What one target says of itself.
#[derive(Clone, Debug)]
struct Target {
    is_static: bool,
    service: Option<&'static str>,
    has_environment: bool,
    version: Option<&'static str>,
    /// Service and version on `target_info`.
    info: (Option<&'static str>, Option<&'static str>),
    /// The version on `shop_build_info`.
    build: &'static str,
    /// The version that kube-state-metrics says the pod has.
    pod: &'static str,
}

fn target() -> impl Strategy<Value = Target> {
    let known = || select(vec!["1", "2"]);
    let version = || option::of(known());
    let service = || option::of(select(vec!["cart", "shop", "search"]));
    let own = (prop::bool::weighted(0.1), service(), prop::bool::weighted(0.9), version());
    (own, (service(), version()), known(), known()).prop_map(|(own, info, build, pod)| {
        let (is_static, service, has_environment, version) = own;
        Target { is_static, service, has_environment, version, info, build, pod }
    })
}

/// Which of the info series each target has. They stay of a kind: what an ended one said holds for whoever joins
/// later, but only where it was heard.
fn kinds() -> impl Strategy<Value = Vec<[bool; 3]>> {
    vec(any::<[bool; 3]>(), TARGETS)
}

const TARGETS: usize = 4;

type LabelPairs = Vec<(&'static str, String)>;

/// The series that target number `number` has while it is as `target` says.
fn series_of(number: usize, target: &Target, has: [bool; 3]) -> Vec<LabelPairs> {
    let job = if target.is_static { format!("legacy{number}") } else { format!("job{number}") };
    let mut common = vec![("instance", "a".to_owned()), ("job", job), ("pod", format!("pod{number}"))];
    let environment = ("environment", "production".to_owned());
    let own = [("service", target.service), ("version", target.version)];
    common.extend(target.has_environment.then(|| environment.clone()));
    let given = own.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned())));
    let plain: LabelPairs = common.iter().cloned().chain(given).collect();
    let named = |name: &str, rest: &LabelPairs| {
        std::iter::once(("__name__", name.to_owned())).chain(rest.clone()).collect::<LabelPairs>()
    };
    let mut all = vec![named("up", &plain), named("requests", &plain), named("latency_count", &plain)];
    if has[0] {
        let (service, version) = target.info;
        let says = [("service_name", service), ("service_version", version)];
        let says = says.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned())));
        all.push(named("target_info", &common.iter().cloned().chain(says).collect()));
    }
    if has[1] {
        let mut labels: LabelPairs = plain.iter().filter(|it| it.0 != "version").cloned().collect();
        labels.push(("version", target.build.to_owned()));
        all.push(named("shop_build_info", &labels));
    }
    if has[2] {
        let ksm = ["instance", "job", "service"].map(|name| (name, "ksm".to_owned()));
        let mut labels = vec![("pod", format!("pod{number}")), environment];
        labels.extend(ksm);
        labels.push(("label_version", target.pod.to_owned()));
        all.push(named("kube_pod_labels", &labels));
    }
    all
}

struct World {
    placement: Placement,
    whole: Store,
    parts: Vec<Store>,
    seconds: i64,
    /// For the order of series in a scrape.
    random: u64,
}

impl World {
    fn new(identity: Identity, partitions: u32, random: u64) -> Self {
        let policy = Policy { identity: identity.clone(), ..Policy::default_policy() };
        let store = || {
            let mut store = Store::default();
            store.configure(&policy);
            store
        };
        Self {
            placement: Placement::new(identity, partitions),
            whole: store(),
            parts: (0..partitions).map(|_| store()).collect(),
            seconds: 0,
            random: random | 1,
        }
    }

    fn next_random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }

    /// One scrape of everything, in any order and cut anywhere, and the time for it to settle.
    fn scrape(&mut self, live: &[LabelPairs], ended: &[LabelPairs], cut: usize) {
        self.seconds += 15;
        let stale = f64::from_bits(model::telemetry::STALE_NAN_BITS);
        let mut all: Vec<(&LabelPairs, f64)> = live.iter().map(|it| (it, 1.0)).collect();
        all.extend(ended.iter().map(|it| (it, stale)));
        for place in (1..all.len()).rev() {
            let other = self.next_random(place + 1);
            all.swap(place, other);
        }
        for chunk in all.chunks(cut) {
            let mut batch = Batch::default();
            for (labels, value) in chunk {
                let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
                let sample = Sample { value: *value, at: at(self.seconds), start: None };
                batch.push(labels, SeriesKind::Unknown, [sample]);
            }
            self.send(&batch);
        }
        let now = at(self.seconds + 7);
        self.whole.handle_timeout(now);
        self.parts.iter_mut().for_each(|part| part.handle_timeout(now));
    }

    fn send(&mut self, batch: &Batch) {
        let now = at(self.seconds);
        let mut to = Vec::new();
        self.placement.place(now, batch, &mut to);
        self.whole.handle_batch(now, batch);
        for (number, part) in self.parts.iter_mut().enumerate() {
            let mut slice = Batch::default();
            for (place, _) in to.iter().filter(|it| it.1.0 as usize == number) {
                let series = &batch.series[*place as usize];
                let labels = LabelBytes::parse(batch.labels_of(series)).unwrap();
                slice.push(labels, series.kind, batch.samples_of(series).iter().copied());
            }
            if !slice.series.is_empty() {
                part.handle_batch(now, &slice);
            }
        }
    }

    fn check(&mut self, labels: &LabelPairs) {
        let mut region = Vec::new();
        LabelBytes::encode(labels.iter().map(|(name, value)| (*name, value.as_str())), &mut region);
        let shown = Labels::from_pairs(labels.iter().cloned());
        let placed = bound(&mut self.whole, &region);
        let key = placed.as_ref().map(|it| it.0.clone());
        assert_eq!(self.placement.key_of(&region), key, "{shown}");
        let Some(key) = key else { return };
        let home = Partition::of(&key, self.parts.len() as u32);
        let is_info = join::is_info(&self.placement.identity, &shown);
        for (number, part) in self.parts.iter_mut().enumerate() {
            let found = bound(part, &region);
            if number == home.0 as usize {
                // Nothing is counted of an info series, so that its own version does not matter.
                let version = |it: &Option<(ServiceKey, Option<String>)>| {
                    it.as_ref().and_then(|it| it.1.clone()).filter(|_| !is_info)
                };
                assert_eq!(found.as_ref().map(|it| &it.0), Some(&key), "{shown} in its partition");
                assert_eq!(version(&found), version(&placed), "{shown} in its partition");
            } else if !is_info {
                // What it left there while nobody knew whose it was may have been placed since.
                let last_at = part.table.find(&region).map(|id| part.table.series[id].last_at);
                assert!(last_at < Some(at(self.seconds)), "{shown} in partition {number} too");
            }
        }
    }
}

/// Whose the store thinks a series is, and of which version.
fn bound(store: &mut Store, region: &[u8]) -> Option<(ServiceKey, Option<String>)> {
    let id = store.table.find(region)?;
    let version = store.table.series[id].version;
    if version == NONE {
        return None;
    }
    let version = &store.catalog.versions[version];
    Some((store.catalog.services[version.service].key.clone(), version.name.clone()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn what_the_store_places_is_placed_alike_and_all_of_it_meets_in_one_partition(
        phases in vec(vec(target(), TARGETS), 1..4),
        kinds in kinds(),
        partitions in 1_u32..6,
        cut in 1_usize..12,
        random in any::<u64>(),
    ) {
        let mut world = World::new(identity(), partitions, random);
        let mut before: Vec<LabelPairs> = Vec::new();
        for phase in &phases {
            let targets = phase.iter().zip(&kinds).enumerate();
            let live: Vec<LabelPairs> =
                targets.flat_map(|(number, (target, has))| series_of(number, target, *has)).collect();
            let ended: Vec<LabelPairs> = before.iter().filter(|it| !live.contains(it)).cloned().collect();
            world.scrape(&live, &ended, cut);
            for _ in 0..2 {
                // From the second scrape on everything that names others has come by.
                world.scrape(&live, &[], cut);
                live.iter().for_each(|labels| world.check(labels));
            }
            before = live;
        }
    }
}
