//! Fencing: a command that a newer one of the same service, environment and cluster has overtaken is not sent.
//!
//! Two active arbiters after a partition are the case it is for (RELIABILITY F27): the fenced one's commands
//! carry lower numbers than the executor has seen.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use model::{Command, ServiceKey};

/// Places remembered. Beyond it the lowest number is forgotten: it belongs to the place that has had no command for
/// longest, since numbers grow with every command.
const MAX_PLACES: usize = 100_000;

/// Where a rollback takes effect. A service's clusters are rolled back side by side, in whichever order.
type Place = (ServiceKey, Option<String>);

/// The highest fencing number seen, by place.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    seen: Mutex<BTreeMap<Place, u64>>,
}

impl Fence {
    /// Notes the command's number; the higher one, if a higher one was seen before.
    pub(crate) fn admit(&self, command: &Command) -> Result<(), u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (command.release.key.clone(), command.release.cluster.clone());
        match seen.get_mut(&place) {
            Some(highest) if *highest > command.fencing => return Err(*highest),
            Some(highest) => *highest = command.fencing,
            None => {
                if seen.len() >= MAX_PLACES {
                    forget_lowest(&mut seen);
                }
                seen.insert(place, command.fencing);
            }
        }
        Ok(())
    }
}

fn forget_lowest(seen: &mut BTreeMap<Place, u64>) {
    let lowest = seen.iter().min_by_key(|(_, number)| **number).map(|(place, _)| place.clone());
    if let Some(lowest) = lowest {
        seen.remove(&lowest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_lower_number_is_refused_for_the_same_place_only() {
        let numbered = |place: &str, fencing| {
            let (service, cluster) = place.split_once('@').unwrap_or((place, ""));
            let mut command = fixture::command();
            command.release.key = ServiceKey::new(service, "production");
            command.release.cluster = (!cluster.is_empty()).then(|| cluster.to_owned());
            command.fencing = fencing;
            command
        };
        let fence = Fence::default();
        for (place, fencing, admitted, why) in [
            ("checkout", 5, Ok(()), "the first one sets the number"),
            ("checkout", 5, Ok(()), "the same command again is harmless"),
            ("checkout", 4, Err(5), "an overtaken one is refused"),
            ("catalog", 4, Ok(()), "another service has its own number"),
            ("checkout@eu-1", 3, Ok(()), "so has a cluster"),
            ("checkout@us-1", 2, Ok(()), "and another cluster"),
            ("checkout@eu-1", 1, Err(3), "within which order counts"),
            ("checkout", 6, Ok(()), "a newer one goes on"),
            ("checkout", 5, Err(6), "and overtakes what was admitted before"),
        ] {
            assert_eq!(fence.admit(&numbered(place, fencing)), admitted, "{why}");
        }
    }
}
