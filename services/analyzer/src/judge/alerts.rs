//! The alerts that fire now, as their senders last described them: what `alert("NAME")` looks at.

use std::collections::BTreeMap;

use model::{Alert, Labels, ServiceKey, Timestamp, is_same_version};
use policy::Identity;
use serde::{Deserialize, Serialize};

/// How many firing alerts are remembered. Ten for each of a thousand services, far more than anyone can act on;
/// beyond it the one heard of longest ago is forgotten, which can only make `alert()` false.
pub(crate) const ALERTS_MAX: usize = 10_000;

/// One firing alert.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Firing {
    name: String,
    who: Affected,
    version: Option<String>,
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
    heard: u64,
}

impl Firing {
    /// Whether it is about `version`; `None`: it names no version.
    fn names(&self, version: &str) -> Option<bool> {
        self.version.as_deref().map(|named| is_same_version(named, version))
    }
}

/// Whom an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Affected {
    pub(crate) service: String,
    /// `None`: its labels name none, so any.
    pub(crate) environment: Option<String>,
}

impl Affected {
    pub(crate) fn covers(&self, key: &ServiceKey) -> bool {
        self.service == key.service && self.environment.as_ref().is_none_or(|only| *only == key.environment)
    }
}

/// Remembers firing alerts by service and the fingerprint of their labels.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Alerts {
    firing: BTreeMap<(String, u64), Firing>,
    /// Grows with every alert heard, so that the one heard of longest ago is known.
    heard: u64,
    /// Not after the first end to come.
    next_end: Option<Timestamp>,
}

impl Alerts {
    /// Takes one alert and says whom it is about, if its labels name a service.
    pub(crate) fn handle(&mut self, now: Timestamp, alert: &Alert, identity: &Identity) -> Option<Affected> {
        let who = Affected {
            service: first_of(&alert.labels, &identity.service)?,
            environment: first_of(&alert.labels, &identity.environment),
        };
        let place = (who.service.clone(), alert.labels.fingerprint());
        if alert.is_resolved_at(now) {
            self.firing.remove(&place);
            return Some(who);
        }
        self.heard += 1;
        self.next_end = [self.next_end, alert.ends_at].into_iter().flatten().min();
        let firing = Firing {
            name: alert.name().to_owned(),
            who: who.clone(),
            version: first_of(&alert.labels, &identity.version),
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            heard: self.heard,
        };
        self.firing.insert(place, firing);
        self.forget_beyond_limit();
        Some(who)
    }

    fn forget_beyond_limit(&mut self) {
        if self.firing.len() <= ALERTS_MAX {
            return;
        }
        let oldest = self.firing.iter().min_by_key(|(_, firing)| firing.heard);
        if let Some(place) = oldest.map(|(place, _)| place.clone()) {
            self.firing.remove(&place);
        }
    }

    /// Since when `name` fires for the service; for `version` an alert that names another version does not
    /// count. The earliest of several.
    pub(crate) fn firing_since(
        &self,
        now: Timestamp,
        name: &str,
        key: &ServiceKey,
        version: Option<&str>,
    ) -> Option<Timestamp> {
        let is_about = |firing: &&Firing| {
            firing.name == name
                && firing.who.covers(key)
                && firing.ends_at.is_none_or(|end| end > now)
                && version.is_none_or(|version| firing.names(version).unwrap_or(true))
        };
        let of_service = (key.service.clone(), 0)..=(key.service.clone(), u64::MAX);
        self.firing.range(of_service).map(|(_, firing)| firing).filter(is_about).map(|it| it.starts_at).min()
    }

    /// Whether an alert of that name fires for the service and names `version` itself.
    pub(crate) fn names_version(&self, now: Timestamp, name: &str, key: &ServiceKey, version: &str) -> bool {
        let of_service = (key.service.clone(), 0)..=(key.service.clone(), u64::MAX);
        self.firing.range(of_service).any(|(_, firing)| {
            firing.name == name
                && firing.who.covers(key)
                && firing.ends_at.is_none_or(|end| end > now)
                && firing.names(version) == Some(true)
        })
    }

    /// Forgets the alerts whose end has come and says whom they were about.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Affected> {
        let is_over = |firing: &Firing| firing.ends_at.is_some_and(|end| end <= now);
        let over = self.firing.values().filter(|firing| is_over(firing)).map(|firing| firing.who.clone());
        let over = over.collect();
        self.firing.retain(|_, firing| !is_over(firing));
        self.next_end = self.firing.values().filter_map(|firing| firing.ends_at).min();
        over
    }

    /// When to ask [`Self::expire`] next.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.next_end
    }
}

fn first_of(labels: &Labels, names: &[String]) -> Option<String> {
    names.iter().find_map(|name| labels.get(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn alert(labels: &[(&str, &str)], ends_at: Option<i64>) -> Alert {
        Alert {
            labels: Labels::from_pairs(labels.iter().copied()),
            starts_at: at(1),
            ends_at: ends_at.map(at),
            ..Alert::default()
        }
    }

    #[test]
    fn an_alert_fires_for_the_service_environment_and_version_its_labels_name() {
        let key = ServiceKey::new("checkout", "production");
        for (labels, version, want, story) in [
            (&[("service", "checkout"), ("env", "production")][..], None, true, "both named"),
            (&[("service", "checkout")], None, true, "no environment is any environment"),
            (&[("service", "checkout"), ("env", "staging")], None, false, "another environment"),
            (&[("service", "cart")], None, false, "another service"),
            (&[("team", "a")], None, false, "no service at all"),
            (&[("app", "checkout"), ("version", "2")], Some("2"), true, "this version"),
            (&[("app", "checkout"), ("version", "1")], Some("2"), false, "the version before"),
            (&[("app", "checkout"), ("version", "1")], None, true, "versions do not matter to the service"),
        ] {
            let mut alerts = Alerts::default();
            let labels: Vec<_> = labels.iter().copied().chain([("alertname", "Slow")]).collect();
            alerts.handle(at(5), &alert(&labels, None), &Identity::default());
            let fires = alerts.firing_since(at(5), "Slow", &key, version) == Some(at(1));
            assert_eq!(fires, want, "{story}");
        }
    }

    #[test]
    fn an_alert_ends_by_being_resolved_or_by_its_own_end() {
        let key = ServiceKey::new("a", "b");
        let labels = [("alertname", "Slow"), ("service", "a")];
        let mut alerts = Alerts::default();
        alerts.handle(at(5), &alert(&labels, Some(60)), &Identity::default());
        assert_eq!(alerts.next_end(), Some(at(60)));
        assert!(alerts.firing_since(at(59), "Slow", &key, None).is_some());
        assert!(alerts.firing_since(at(60), "Slow", &key, None).is_none());
        assert_eq!(alerts.expire(at(60)).len(), 1);
        alerts.handle(at(61), &alert(&labels, None), &Identity::default());
        alerts.handle(at(62), &alert(&labels, Some(62)), &Identity::default());
        assert!(alerts.firing_since(at(62), "Slow", &key, None).is_none());
    }

    #[test]
    fn the_number_of_alerts_is_bounded_and_the_oldest_goes() {
        let mut alerts = Alerts::default();
        let named = |number: usize| {
            [("alertname".to_owned(), format!("a{number}")), ("service".to_owned(), "s".to_owned())]
        };
        for number in 0..=ALERTS_MAX {
            let alert = Alert { labels: Labels::from_pairs(named(number)), ..Alert::default() };
            alerts.handle(at(5), &alert, &Identity::default());
        }
        let key = ServiceKey::new("s", "e");
        assert_eq!(alerts.firing.len(), ALERTS_MAX);
        assert!(alerts.firing_since(at(5), "a0", &key, None).is_none());
        assert!(alerts.firing_since(at(5), "a1", &key, None).is_some());
    }
}
