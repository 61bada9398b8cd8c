//! Promises about what is carried out.

use model::{Command, CommandMode, Halt, Timestamp};

use super::{Promises, decided::MAX_DECISION_AGE_SECONDS, describe};
use crate::outside::Execution;

impl Promises {
    /// A request reached the deployment tool.
    pub(crate) fn note_execution(&mut self, execution: &Execution, now: Timestamp) {
        let (command, at) = (&execution.command, i64::from(execution.second));
        let intent = (command.id.clone(), command.fencing);
        if !self.intents.contains(&intent) {
            let is_void = self.void_intents.contains(&intent);
            let promise = if is_void {
                "the word of a superseded arbiter is not carried out"
            } else {
                "only what is on the log is carried out"
            };
            self.broken(promise, at, describe(command));
        }
        self.check_names_a_target(at, command);
        let to = command.to_version.clone().unwrap_or_default();
        let before = self.effective.get(&command.id).cloned();
        if let Some(before) = &before
            && execution.is_effective
        {
            let what = format!("{} again, first to {before}", describe(command));
            self.broken("a rollback is carried out once", at, what);
        }
        if before.is_some_and(|before| before != to) {
            self.broken("one id never names two targets", at, describe(command));
        }
        if execution.is_effective {
            self.effective.insert(command.id.clone(), to);
        }
        if command.mode == CommandMode::Immediate {
            self.check_halts(at, command, now);
            if now.since(command.evidence_at).as_secs() as i64 > MAX_DECISION_AGE_SECONDS {
                self.broken("nothing acts on old evidence", at, describe(command));
            }
        }
    }

    /// By what stands on the log: whoever sends has read that.
    fn check_halts(&mut self, at: i64, command: &Command, now: Timestamp) {
        let key = &command.release.key;
        let covers = |halt: &Halt| halt.until > now && halt.scope.covers(&key.service, &key.environment);
        if self.halts.values().any(covers) {
            self.broken("halt wins over everything", at, describe(command));
        }
    }
}
