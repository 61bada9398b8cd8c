//! What people and pipelines do, when its time has come.

use std::time::Duration;

use model::{Alert, DeploymentEvent, DeploymentStatus, EventBody, Labels, PolicyLoad};

use super::Simulation;
use crate::{
    people,
    plan::{Deed, ENVIRONMENT},
    world::moment,
};

impl Simulation {
    pub(super) fn do_deeds(&mut self, second: u32) {
        for span in self.plan.silences.iter().chain(&self.plan.outage).filter(|span| span.from == second) {
            self.story.tell(i64::from(second), || format!("** silence or outage {span:?}"));
        }
        let now: Vec<Deed> =
            self.plan.deeds.iter().filter(|(at, _)| *at == second).map(|(_, deed)| *deed).collect();
        for deed in now {
            self.story.tell(i64::from(second), || format!("** {deed:?}"));
            self.do_deed(deed, second);
        }
    }

    fn do_deed(&mut self, deed: Deed, second: u32) {
        match deed {
            Deed::Deploy { service, version, is_canary } => self.deploy(service, version, is_canary, second),
            Deed::Promote { service, version } => {
                // Rolled back or overtaken meanwhile: the pipeline does not go on.
                if self.world.services[service].is_running(version) {
                    self.world.services[service].run_alone(version, second);
                    self.announce(service, version, DeploymentStatus::Promoted, None);
                }
            }
            Deed::Redeploy { service } => {
                let Some(version) = self.world.services[service].current() else { return };
                self.announce(service, version, DeploymentStatus::Deployed, None);
            }
            Deed::Remove { service } => {
                let Some(version) = self.world.services[service].current() else { return };
                self.world.services[service].remove(second);
                self.announce(service, version, DeploymentStatus::Removed, None);
            }
            Deed::ReplacePods { service } => self.world.services[service].replace_pods(second),
            Deed::ResetCounters { service } => self.world.services[service].reset_counters(second),
            Deed::Reload { is_good } => self.reload(is_good),
            Deed::Alert { service, seconds, has_environment } => {
                self.alert(service, seconds, has_environment, second);
            }
            _ => {
                let verb = people::verb(deed, &self.console, &self.plan, &self.world, moment(second));
                if let Some(verb) = verb {
                    self.send("api", EventBody::Verb(Box::new(verb)));
                }
            }
        }
    }

    fn deploy(&mut self, service: usize, version: usize, is_canary: bool, second: u32) {
        let running = &mut self.world.services[service];
        let is_canary = is_canary && running.current().is_some();
        if is_canary {
            running.run_canary(version, second);
        } else {
            running.run_alone(version, second);
        }
        let share = is_canary.then_some(25.0);
        self.announce(service, version, DeploymentStatus::Deployed, share);
    }

    fn announce(&mut self, service: usize, version: usize, status: DeploymentStatus, share: Option<f64>) {
        let planned = &self.plan.services[service];
        let event = DeploymentEvent {
            release_id: people::release_id(&self.plan, service, version),
            key: self.world.services[service].key.clone(),
            version: planned.versions[version].name.clone(),
            previous_version: (version > 0).then(|| planned.versions[version - 1].name.clone()),
            status,
            traffic_percentage: share,
            ..DeploymentEvent::default()
        };
        self.send("ci", EventBody::Deployment(Box::new(event)));
    }

    fn alert(&mut self, service: usize, seconds: u32, has_environment: bool, second: u32) {
        let name = self.plan.services[service].name.as_str();
        let environment = has_environment.then_some(("environment", ENVIRONMENT));
        let labels = [("alertname", "Paged"), ("service", name)].into_iter().chain(environment);
        let now = moment(second);
        let alert = Alert {
            labels: Labels::from_pairs(labels),
            starts_at: now,
            ends_at: Some(now + Duration::from_secs(u64::from(seconds))),
            ..Alert::default()
        };
        self.send("alertmanager", EventBody::Alerts(vec![alert]));
    }

    fn reload(&mut self, is_good: bool) {
        if !is_good {
            let bad = load("rollback_triggers: 7".to_owned(), "reload");
            return self.send("reload", EventBody::PolicyLoad(Box::new(bad)));
        }
        self.policy_generation += 1;
        self.policy = load(self.plan.policy_text(self.policy_generation), "reload");
        self.send("reload", EventBody::PolicyLoad(Box::new(self.policy.clone())));
    }
}

pub(super) fn load(text: String, origin: &str) -> PolicyLoad {
    PolicyLoad { files: vec![("ripcord.yml".to_owned(), text)], origin: origin.to_owned() }
}
