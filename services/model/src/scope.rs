//! Which services and environments somebody may touch and see.

/// Some services, or all; in some environments, or all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Empty: all.
    pub services: Vec<String>,
    /// Empty: all.
    pub environments: Vec<String>,
}

impl Scope {
    /// Whether a service in an environment is part of it.
    pub fn holds(&self, service: &str, environment: &str) -> bool {
        self.holds_service(service) && self.holds_environment(environment)
    }

    /// Whether the service is part of it, in some environment at least.
    pub fn holds_service(&self, service: &str) -> bool {
        self.services.is_empty() || self.services.iter().any(|it| it == service)
    }

    /// Whether the environment is part of it, for some service at least.
    pub fn holds_environment(&self, environment: &str) -> bool {
        self.environments.is_empty() || self.environments.iter().any(|it| it == environment)
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.services.is_empty() && self.environments.is_empty()
    }
}
