//! Fencing: a command that a newer one of the same service has overtaken is not sent.
//!
//! Two active arbiters after a partition are the case it is for (RELIABILITY F27): the fenced one's commands
//! carry lower numbers than the executor has seen.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use model::{Command, ServiceKey};

/// Services remembered. Beyond it the lowest number is forgotten: it belongs to the service that has had no
/// command for longest, since numbers grow with every command.
const MAX_SERVICES: usize = 100_000;

/// The highest fencing number seen, by service.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    seen: Mutex<BTreeMap<ServiceKey, u64>>,
}

impl Fence {
    /// Notes the command's number; the higher one, if a higher one was seen before.
    pub(crate) fn admit(&self, command: &Command) -> Result<(), u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = &command.release.key;
        match seen.get_mut(key) {
            Some(highest) if *highest > command.fencing => return Err(*highest),
            Some(highest) => *highest = command.fencing,
            None => {
                if seen.len() >= MAX_SERVICES {
                    forget_lowest(&mut seen);
                }
                seen.insert(key.clone(), command.fencing);
            }
        }
        Ok(())
    }
}

fn forget_lowest(seen: &mut BTreeMap<ServiceKey, u64>) {
    let lowest = seen.iter().min_by_key(|(_, number)| **number).map(|(key, _)| key.clone());
    if let Some(lowest) = lowest {
        seen.remove(&lowest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_lower_number_is_refused_for_the_same_service_only() {
        let numbered = |service: &str, fencing| {
            let mut command = fixture::command();
            command.release.key = ServiceKey::new(service, "production");
            command.fencing = fencing;
            command
        };
        let fence = Fence::default();
        for (service, fencing, admitted, why) in [
            ("checkout", 5, Ok(()), "the first one sets the number"),
            ("checkout", 5, Ok(()), "the same command again is harmless"),
            ("checkout", 4, Err(5), "an overtaken one is refused"),
            ("catalog", 4, Ok(()), "another service has its own number"),
            ("checkout", 6, Ok(()), "a newer one goes on"),
            ("checkout", 5, Err(6), "and overtakes what was admitted before"),
        ] {
            assert_eq!(fence.admit(&numbered(service, fencing)), admitted, "{why}");
        }
    }
}
