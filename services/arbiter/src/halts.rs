//! Halts in force.

use std::collections::BTreeMap;

use model::{Halt, HaltId};

use crate::bounds::MAX_HALTS;

#[derive(Debug, Default)]
pub(crate) struct Halts {
    by_id: BTreeMap<HaltId, Halt>,
}

impl Halts {
    /// Puts a halt into force, or renews it; `false` when there are too many.
    pub(crate) fn begin(&mut self, halt: Halt) -> bool {
        if !self.by_id.contains_key(&halt.id) && self.by_id.len() >= MAX_HALTS {
            return false;
        }
        self.by_id.insert(halt.id.clone(), halt);
        true
    }

    pub(crate) fn end(&mut self, id: &HaltId) -> Option<Halt> {
        self.by_id.remove(id)
    }

    /// The halt that covers a service and ends last.
    pub(crate) fn covering(&self, service: &str, environment: &str) -> Option<&Halt> {
        let covering = self.by_id.values().filter(|halt| halt.scope.covers(service, environment));
        covering.max_by_key(|halt| halt.until)
    }

    pub(crate) fn from_state(state: Vec<Halt>) -> Self {
        Self { by_id: state.into_iter().map(|halt| (halt.id.clone(), halt)).collect() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Halt> {
        self.by_id.values()
    }
}
