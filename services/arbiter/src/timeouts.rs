//! What follows from time alone.

use model::{CommandId, CommandState, Decision, EventId, HaltId, NoticeKind, Timestamp};

use crate::{
    Arbiter,
    arbiter::Moment,
    firing::{Scope, Subject},
    timers::Timer,
};

impl Arbiter {
    /// Does what has fallen due at `now`; nothing before [`Self::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Command(id) => self.on_command_due(now, &id),
                Timer::Halt(id) => self.on_halt_over(now, &id),
                Timer::Gather(environment) => self.on_gathered(now, &environment),
                Timer::Storm(environment) => {
                    let scope = Scope::Environment(environment.clone());
                    let subject = Subject::of(scope, NoticeKind::Safety).about("rollback_storm");
                    let cause = self.cause_of(&subject);
                    self.on_storm_over(Moment { now, cause: &cause }, &environment);
                }
            }
        }
    }

    /// A prepared command expires; a ready one that nobody reported on was not sent, and waits for a person.
    fn on_command_due(&mut self, now: Timestamp, id: &CommandId) {
        let Some(tracked) = self.commands.get(id) else { return };
        let (cause, release, state) =
            (tracked.cause.clone(), tracked.command.release.clone(), tracked.command.state);
        let at = Moment { now, cause: &cause };
        match state {
            CommandState::Prepared => {
                self.close(at, id, CommandState::Expired, "nobody approved it in time");
                self.ask_again(at, &release);
            }
            CommandState::Ready => {
                let why = "not sent in time: no actuator reported on it before its deadline".to_owned();
                self.pause_before_next(now, &release);
                self.make_prepared(at, id, why);
            }
            _ => {}
        }
    }

    fn on_halt_over(&mut self, now: Timestamp, id: &HaltId) {
        let cause = self.cause_of(&Subject::of(Scope::Halt(id.clone()), NoticeKind::Safety).about("halt"));
        self.end_halt(Moment { now, cause: &cause }, id, "it has run out");
    }

    /// The record that a notice goes back to: time has no record of its own.
    fn cause_of(&self, subject: &Subject) -> EventId {
        self.firing.get(subject).map(|notice| notice.cause.clone()).unwrap_or_default()
    }

    pub(crate) fn end_halt(&mut self, at: Moment<'_>, id: &HaltId, why: &str) {
        self.timers.clear(&Timer::Halt(id.clone()));
        let Some(halt) = self.halts.end(id) else { return };
        let subject = Subject::of(Scope::Halt(id.clone()), NoticeKind::Safety).about("halt");
        let summary = format!("the halt by {} is over: {why}", halt.by);
        self.emit(Decision::Halt { halt, is_active: false });
        self.resolve(at, &subject, Some(summary));
    }
}
