//! What happens in one run, drawn from its seed before it begins: services, releases, verbs, outages, faults.

use crate::{faults::Faults, hostile::Hostile, layout::Layout, random::Random, senders::SenderFaults};

/// All services live in one environment, so that attribution and the storm guard see all of them.
pub(crate) const ENVIRONMENT: &str = "production";

/// Deeds begin when there is a window's worth of traffic.
const QUIET_START_SECONDS: u32 = 180;

/// When the last deed is done.
pub(crate) const BUSY_UNTIL: u32 = 1_500;

/// Long enough for every watch, approval, halt and message to end.
const QUIET_END_SECONDS: u32 = 1_500;

/// How a service tells of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telemetry {
    /// Scraped counters and histograms with a version label.
    Versioned,
    /// The same without a version.
    Unversioned,
    /// Raw request events.
    Requests,
}

#[derive(Clone, Debug)]
pub(crate) struct ServicePlan {
    pub(crate) name: String,
    pub(crate) telemetry: Telemetry,
    pub(crate) requests_per_second: f64,
    pub(crate) mode: &'static str,
    /// By number; 0 runs from the start.
    pub(crate) versions: Vec<VersionPlan>,
    /// Never released: shows what is nobody's fault.
    pub(crate) is_control: bool,
    pub(crate) senders: SenderFaults,
}

/// The truth about a version, which the cores have to find out.
#[derive(Clone, Debug)]
pub(crate) struct VersionPlan {
    pub(crate) name: String,
    /// From when on it fails, if it ever does.
    pub(crate) bad_from: Option<u32>,
    pub(crate) bad_rate: f64,
    pub(crate) good_rate: f64,
    /// Out from then on, at all of the traffic or as a canary first.
    pub(crate) released_at: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Deploy {
        service: usize,
        version: usize,
        is_canary: bool,
    },
    Promote {
        service: usize,
        version: usize,
    },
    Redeploy {
        service: usize,
    },
    Remove {
        service: usize,
    },
    ReplacePods {
        service: usize,
    },
    ResetCounters {
        service: usize,
    },
    Approve,
    Reject,
    RollBack {
        service: usize,
    },
    Halt {
        service: Option<usize>,
        seconds: u32,
    },
    Unhalt,
    ClearBad,
    /// An alert fires and ends; without an environment it concerns all.
    Alert {
        service: usize,
        seconds: u32,
        has_environment: bool,
    },
    Reload {
        is_good: bool,
    },
}

/// From, until, and who: `None` is everybody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) from: u32,
    pub(crate) until: u32,
    pub(crate) service: Option<usize>,
}

impl Span {
    pub(crate) fn holds(&self, second: u32, service: usize) -> bool {
        (self.from..self.until).contains(&second) && self.service.is_none_or(|only| only == service)
    }
}

/// How often telemetry suffers what, by record.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) split: f64,
    pub(crate) duplicated: f64,
    pub(crate) delayed: f64,
    pub(crate) late: f64,
    pub(crate) missing: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) services: Vec<ServicePlan>,
    pub(crate) deeds: Vec<(u32, Deed)>,
    pub(crate) outage: Option<Span>,
    pub(crate) outage_rate: f64,
    pub(crate) silences: Vec<Span>,
    pub(crate) layout: Layout,
    pub(crate) faults: Faults,
    pub(crate) rates: Rates,
    pub(crate) hostile: Option<Hostile>,
    pub(crate) ends_at: u32,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = Random::stream(seed, &["plan"]);
        let layout = Layout::draw(&mut Random::stream(seed, &["layout"]));
        let faults = Faults::draw(&layout, &mut Random::stream(seed, &["faults"]));
        let count = random.between(2, 5) as usize;
        let mut plan = Self {
            services: Vec::new(),
            deeds: Vec::new(),
            outage: None,
            outage_rate: 0.2 + 0.6 * random.unit(),
            silences: Vec::new(),
            layout,
            faults,
            rates: Rates::default(),
            hostile: Hostile::draw(&mut Random::stream(seed, &["floods"])),
            ends_at: BUSY_UNTIL + QUIET_END_SECONDS,
        };
        for index in 0..count {
            plan.add_service(index, &mut random);
        }
        plan.add_outage(&mut random);
        plan.add_deeds(&mut random);
        plan.add_telemetry_faults(&mut random);
        let mut random = Random::stream(seed, &["senders"]);
        for service in &mut plan.services {
            service.senders = SenderFaults::draw(service, &mut random);
        }
        plan.deeds.sort_by_key(|(second, _)| *second);
        plan
    }

    fn add_service(&mut self, index: usize, random: &mut Random) {
        let telemetry = *random.pick(&[
            Telemetry::Versioned,
            Telemetry::Versioned,
            Telemetry::Versioned,
            Telemetry::Unversioned,
            Telemetry::Requests,
        ]);
        let first = VersionPlan {
            name: "1.0".to_owned(),
            bad_from: None,
            bad_rate: 0.0,
            good_rate: *random.pick(&[0.0, 0.001, 0.01]),
            released_at: 0,
        };
        self.services.push(ServicePlan {
            name: format!("service-{index}"),
            telemetry,
            requests_per_second: f64::from(random.between(4, 30)),
            mode: if random.chance(0.75) { "auto" } else { "approve" },
            versions: vec![first],
            is_control: random.chance(0.2),
            senders: SenderFaults::default(),
        });
        if !self.services[index].is_control {
            self.add_releases(index, random);
        }
    }

    fn add_releases(&mut self, index: usize, random: &mut Random) {
        let mut second = QUIET_START_SECONDS + random.between(0, 400);
        while second < BUSY_UNTIL {
            let version = self.services[index].versions.len();
            let is_canary = random.chance(0.3);
            let bad_from = match random.between(0, 9) {
                0..=2 => Some(second),
                3..=4 => Some(second + random.between(30, 200)),
                _ => None,
            };
            self.services[index].versions.push(VersionPlan {
                name: format!("1.{version}"),
                bad_from,
                bad_rate: *random.pick(&[0.2, 0.5, 1.0]),
                good_rate: *random.pick(&[0.0, 0.001, 0.01]),
                released_at: second,
            });
            self.deeds.push((second, Deed::Deploy { service: index, version, is_canary }));
            if is_canary {
                let promoted = second + random.between(120, 240);
                self.deeds.push((promoted, Deed::Promote { service: index, version }));
            }
            second += random.between(120, 700);
        }
    }

    fn add_outage(&mut self, random: &mut Random) {
        if random.chance(0.25) {
            let from = random.between(400, 1_200);
            self.outage = Some(Span { from, until: from + random.between(60, 240), service: None });
        }
    }

    fn add_deeds(&mut self, random: &mut Random) {
        for _ in 0..random.between(2, 14) {
            let second = random.between(QUIET_START_SECONDS, BUSY_UNTIL);
            let service = random.between(0, self.services.len() as u32 - 1) as usize;
            let deed = match random.between(0, 19) {
                0..=3 => Deed::ReplacePods { service },
                4..=6 => Deed::ResetCounters { service },
                7..=10 => Deed::Approve,
                11 => Deed::Reject,
                12 => Deed::RollBack { service },
                13 => {
                    let service = random.chance(0.5).then_some(service);
                    Deed::Halt { service, seconds: random.between(30, 300) }
                }
                14 => Deed::Unhalt,
                15 => Deed::ClearBad,
                16 => Deed::Reload { is_good: random.chance(0.6) },
                17 => Deed::Remove { service },
                18 => Deed::Alert {
                    service,
                    seconds: random.between(20, 600),
                    has_environment: random.chance(0.5),
                },
                _ => Deed::Redeploy { service },
            };
            self.deeds.push((second, deed));
        }
    }

    fn add_telemetry_faults(&mut self, random: &mut Random) {
        if random.chance(0.6) {
            self.rates = Rates {
                split: 0.4 * random.unit(),
                duplicated: 0.2 * random.unit(),
                delayed: 0.3 * random.unit(),
                late: 0.05 * random.unit(),
                missing: 0.05 * random.unit(),
            };
        }
        if random.chance(0.2) {
            let from = random.between(300, 1_300);
            let service = random.between(0, self.services.len() as u32) as usize;
            let service = (service < self.services.len()).then_some(service);
            self.silences.push(Span { from, until: from + random.between(30, 300), service });
        }
    }

    /// Whether nothing but the versions themselves makes requests fail.
    pub(crate) fn has_outage(&self) -> bool {
        self.outage.is_some()
    }

    /// The policy file; `generation` counts good reloads.
    pub(crate) fn policy_text(&self, generation: u32) -> String {
        let window = if generation.is_multiple_of(2) { "2m" } else { "3m" };
        let modes: String = self
            .services
            .iter()
            .map(|service| {
                let (name, mode) = (&service.name, service.mode);
                format!("  - {{ match: {{ service: {name} }}, mode: {mode} }}\n")
            })
            .collect();
        format!(
            r#"
metrics:
  error_rate: {{ ratio: {{ bad: 'http_requests_total{{code="500"}}', total: 'http_requests_total' }} }}
  response_time: {{ histogram: http_request_duration_seconds }}
defaults: {{ watch: {{ time: 6m, max: 20m }} }}
storm: {{ max_rollbacks: 3, per: 10m, settle: 5s }}
rollback_triggers:
  error_rate: {{ threshold: 5%, window: {window}, action: immediate_rollback }}
  response_time: {{ threshold: 1000ms, percentile: 95, window: {window}, action: alert_and_prepare_rollback }}
alerts: [ {{ name: Paged, condition: 'alert("Paged")', for: 20s, action: alert_team }} ]
policies:
  - match: {{ environment: {ENVIRONMENT} }}
    target: {{ webhook: {{ url: "http://deployer.example.org/rollback" }} }}
    safety: {{ cooldown: 2m, approvals: 1 }}
{modes}"#
        )
    }
}
