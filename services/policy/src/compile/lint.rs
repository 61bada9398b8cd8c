//! What is legal and contradicts itself.

use crate::{
    Diagnostic, Level,
    diagnostic::{Diagnostics, Place},
};

use super::triggers::PlacedTrigger;

/// Two triggers with one condition and two actions: both act, and which of them was meant is not in the file.
pub(super) fn contradictions(triggers: &[PlacedTrigger], diagnostics: &Diagnostics) {
    for (at, PlacedTrigger { trigger, place }) in triggers.iter().enumerate() {
        let condition = trigger.condition.to_string();
        let other = triggers[..at].iter().find(|other| {
            other.trigger.condition.to_string() == condition && other.trigger.action != trigger.action
        });
        let Some(other) = other else { continue };
        let message = format!(
            "`{}` asks for {} where `{}` (line {}) asks for {} on the same condition, {}",
            trigger.name,
            trigger.action.as_str(),
            other.trigger.name,
            other.place.line,
            other.trigger.action.as_str(),
            trigger.text,
        );
        diagnostics.warning(place, message, "both act; keep the one that is meant");
    }
}

pub(super) fn no_trigger(at: &Place) -> Diagnostic {
    Diagnostic {
        level: Level::Warning,
        file: at.file.to_string(),
        line: at.line,
        column: at.column,
        message: "no trigger: Ripcord will watch and tell nothing".to_owned(),
        hint: Some(
            "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }"
                .to_owned(),
        ),
    }
}
