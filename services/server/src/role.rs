//! Which parts of the way of the data this process is.

use std::fmt;

use bus::BusConfig;

/// The roles of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Takes in: HTTP, ticks, policy loads.
    pub(crate) ingest: bool,
    /// Judges and decides.
    pub(crate) analyze: bool,
    /// Carries out.
    pub(crate) act: bool,
    /// Tells.
    pub(crate) notify: bool,
    /// Shows.
    pub(crate) console: bool,
}

/// One of them, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Takes in telemetry, events, alerts and people's verbs.
    Ingest,
    /// Judges services; the arbiter of one such process decides.
    Analyze,
    /// Carries commands out.
    Act,
    /// Tells people; one such process at a time.
    Notify,
    /// Answers the read API.
    Console,
}

impl Roles {
    pub(crate) const ALL: Self = Self { ingest: true, analyze: true, act: true, notify: true, console: true };

    /// Those named; all of them if none is.
    pub(crate) fn of(named: &[Role]) -> Self {
        if named.is_empty() {
            return Self::ALL;
        }
        let has = |role| named.contains(&role);
        Self {
            ingest: has(Role::Ingest),
            analyze: has(Role::Analyze),
            act: has(Role::Act),
            notify: has(Role::Notify),
            console: has(Role::Console),
        }
    }

    /// Roles apart need a log that more than one process can have.
    pub(crate) fn check(self, bus: &BusConfig) -> Result<(), String> {
        match bus {
            BusConfig::Embedded(_) if self != Self::ALL => {
                let text = "--roles: on the embedded log one process has all roles; leave --roles away, or set \
                            bus: { kind: kafka, … } to run them apart";
                Err(text.to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            ("ingest", self.ingest),
            ("analyze", self.analyze),
            ("act", self.act),
            ("notify", self.notify),
            ("console", self.console),
        ];
        let has: Vec<&str> = names.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
        f.write_str(&has.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_all_unless_named_and_stay_together_on_the_embedded_log() {
        let embedded = BusConfig::Embedded(bus::EmbeddedConfig::new("data"));
        assert_eq!(Roles::of(&[]).check(&embedded), Ok(()));
        let some = Roles::of(&[Role::Act, Role::Ingest]);
        assert_eq!(some.to_string(), "ingest,act");
        assert!(some.check(&embedded).unwrap_err().contains("kind: kafka"));
    }
}
