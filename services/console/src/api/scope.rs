//! What of each noun somebody may see who may not see everything: what is about one of their services.

use axum::{extract::FromRequestParts, http::request::Parts};
use model::{HaltScope, Scope, ServiceKey, values::Discovery};

use super::Problem;

/// What the guard says of who asks. A route without the guard shows nothing.
pub(super) struct Seen(pub(super) Scope);

impl<S: Send + Sync> FromRequestParts<S> for Seen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Scope>().cloned().map(Self).ok_or_else(|| Problem::not_found("not shown"))
    }
}

impl Seen {
    /// Whether something about a service in an environment is shown.
    pub(super) fn shows(&self, key: &ServiceKey) -> bool {
        self.0.holds(&key.service, &key.environment)
    }

    /// As [`Self::shows`], of what may be about no service, or about one in all environments.
    pub(super) fn shows_about(&self, about: &ServiceKey) -> bool {
        self.0.is_everything()
            || !about.service.is_empty()
                && self.0.holds_service(&about.service)
                && (about.environment.is_empty() || self.0.holds_environment(&about.environment))
    }

    /// A halt is shown to everybody whom it stops.
    pub(super) fn shows_halt(&self, scope: &HaltScope) -> bool {
        match scope {
            HaltScope::All => true,
            HaltScope::Environment(environment) => self.0.holds_environment(environment),
            HaltScope::Service { service, environment } => {
                self.0.holds_service(service)
                    && environment.as_ref().is_none_or(|it| self.0.holds_environment(it))
            }
        }
    }

    /// What is left of `discovery`. Series that could not be placed are nobody's.
    pub(super) fn of(&self, mut discovery: Discovery) -> Discovery {
        if self.0.is_everything() {
            return discovery;
        }
        discovery.services.retain(|seen| self.shows(&seen.key));
        discovery.unplaced.clear();
        (discovery.unplaced_series, discovery.unplaced_more) = (0, 0);
        // What is refused names no environment.
        let is_own = |service: &str| self.0.environments.is_empty() && self.0.holds_service(service);
        discovery.refused.retain(|refused| is_own(&refused.service));
        discovery
    }
}
