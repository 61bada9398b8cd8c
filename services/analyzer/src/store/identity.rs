//! Which service, environment and version a series is of. No guesses: what no label, join or static entry
//! names stays unnamed.

use model::{Labels, ServiceKey};
use policy::{Identity, IdentityField};

/// What could be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) service: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) version: Option<String>,
}

impl Names {
    /// What static entries and the series' own labels say. A static entry is somebody's explicit word on just
    /// these series, so it goes before labels.
    pub(super) fn of(identity: &Identity, labels: &Labels) -> Self {
        let mut names = Self::default();
        for entry in identity.fixed.iter().filter(|it| it.matching.matches(labels)) {
            entry.set.iter().for_each(|(field, value)| names.fill(*field, value));
        }
        for (field, candidates) in [
            (IdentityField::Service, &identity.service),
            (IdentityField::Environment, &identity.environment),
            (IdentityField::Version, &identity.version),
        ] {
            if let Some(value) = first_present(candidates, labels) {
                names.fill(field, value);
            }
        }
        names
    }

    /// Sets what is not known yet.
    pub(super) fn fill(&mut self, field: IdentityField, value: &str) {
        if let Some(slot) = self.slot(field).filter(|slot| slot.is_none()) {
            *slot = Some(value.to_owned());
        }
    }

    /// Whether `field` could still be filled.
    pub(super) fn lacks(&mut self, field: IdentityField) -> bool {
        self.slot(field).is_some_and(|slot| slot.is_none())
    }

    fn slot(&mut self, field: IdentityField) -> Option<&mut Option<String>> {
        match field {
            IdentityField::Service => Some(&mut self.service),
            IdentityField::Environment => Some(&mut self.environment),
            IdentityField::Version => Some(&mut self.version),
            // Not told apart by the windows yet.
            IdentityField::Cluster | IdentityField::Region | IdentityField::Route => None,
        }
    }

    pub(super) fn key(&self) -> Option<ServiceKey> {
        Some(ServiceKey { service: self.service.clone()?, environment: self.environment.clone()? })
    }

    /// What a person has to add for the series to be placed.
    pub(super) fn missing(&self) -> &'static str {
        match (&self.service, &self.environment) {
            (None, None) => "service, environment",
            (None, Some(_)) => "service",
            (Some(_), None) => "environment",
            (Some(_), Some(_)) => "",
        }
    }
}

/// The value of the first of `candidates` that the series has.
pub(super) fn first_present<'a>(candidates: &[String], labels: &'a Labels) -> Option<&'a str> {
    candidates.iter().find_map(|name| labels.get(name))
}
