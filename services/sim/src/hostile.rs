//! A sender that names more environments and versions than one event may open, again and again. All promises hold for
//! the other services beside it.

use model::{EventBody, RequestEvent, ServiceKey};

use crate::{plan::BUSY_UNTIL, random::Random, world::moment};

/// Together more than the analyzer opens for one event.
const ENVIRONMENTS: u32 = 30;
const VERSIONS: u32 = 40;

const PERIOD_SECONDS: u32 = 20;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Hostile {
    from: u32,
    until: u32,
}

impl Hostile {
    pub(crate) fn draw(random: &mut Random) -> Option<Self> {
        let from = random.between(60, BUSY_UNTIL - 400);
        let until = from + random.between(60, 400);
        random.chance(0.25).then_some(Self { from, until })
    }

    /// How many services, each in one environment, come of it: as many as one event opens.
    pub(crate) fn services(self) -> usize {
        ENVIRONMENTS as usize
    }

    /// What it sends at that second, if anything.
    pub(crate) fn sends(self, second: u32) -> Option<EventBody> {
        let is_due = (self.from..self.until).contains(&second) && second.is_multiple_of(PERIOD_SECONDS);
        is_due.then(|| EventBody::Requests(requests(second)))
    }
}

fn requests(second: u32) -> Vec<RequestEvent> {
    let places = (0..ENVIRONMENTS).flat_map(|place| (0..VERSIONS).map(move |version| (place, version)));
    let request = |(place, version)| RequestEvent {
        key: ServiceKey::new("hostile", format!("environment-{place}")),
        version: Some(format!("version-{version}")),
        duration_ms: Some(f64::from(second + version)),
        at: moment(second),
        ..RequestEvent::default()
    };
    places.map(request).collect()
}
