//! Stopping all automatic action for a while.

use model::{
    Command, CommandId, CommandState, Decision, Halt, HaltId, HaltScope, NoticeKind, ReleaseRef, Severity,
};

use super::Answer;
use crate::{
    Arbiter,
    arbiter::Moment,
    firing::{Scope, Subject},
    notices::Draft,
    text,
    timers::Timer,
};

impl Arbiter {
    pub(super) fn halt(&mut self, at: Moment<'_>, halt: &Halt) -> Answer {
        if halt.until <= at.now {
            return Err(format!("a halt needs an end that is still to come, not {}", halt.until));
        }
        if !self.halts.begin(halt.clone()) {
            return Err("too many halts are in force: end some, or halt everything".to_owned());
        }
        self.timers.set(Timer::Halt(halt.id.clone()), halt.until);
        self.emit(Decision::Halt { halt: halt.clone(), is_active: true });
        let scope = scope_text(&halt.scope);
        let summary = format!(
            "all automatic action is halted for {scope} until {} by {}: {}",
            text::time(halt.until),
            halt.by,
            halt.reason
        );
        let subject = Subject::of(Scope::Halt(halt.id.clone()), NoticeKind::Safety).about("halt");
        let mut draft = Draft::new(subject, Severity::Warning, summary);
        draft.ends_at = Some(halt.until);
        self.fire(at, draft);
        let queued = self.queued_under(halt);
        for (id, release) in &queued {
            let why = format!("halted by {}: {}", halt.by, halt.reason);
            self.close(at, id, CommandState::Cancelled, &why);
            self.tell_what_is_still_broken(at, release, "its rollback was cancelled by a halt");
        }
        Ok(match queued.len() {
            0 => format!("{scope} is halted"),
            count => format!("{scope} is halted, queued commands cancelled: {count}"),
        })
    }

    /// Commands that no target has taken yet.
    fn queued_under(&self, halt: &Halt) -> Vec<(CommandId, ReleaseRef)> {
        let is_queued = |command: &&Command| {
            let key = &command.release.key;
            command.state == CommandState::Ready && halt.scope.covers(&key.service, &key.environment)
        };
        self.commands.iter().filter(is_queued).map(|it| (it.id.clone(), it.release.clone())).collect()
    }

    pub(super) fn unhalt(&mut self, at: Moment<'_>, id: &HaltId, who: &str) -> Answer {
        if !self.halts.iter().any(|halt| halt.id == *id) {
            return Err(format!("the halt {id} is not in force"));
        }
        self.end_halt(at, id, &format!("ended by {who}"));
        Ok("the halt is over".to_owned())
    }
}

pub(super) fn scope_text(scope: &HaltScope) -> String {
    match scope {
        HaltScope::All => "everything".to_owned(),
        HaltScope::Environment(environment) => environment.clone(),
        HaltScope::Service { service, environment: Some(environment) } => {
            format!("{service} in {environment}")
        }
        HaltScope::Service { service, environment: None } => service.clone(),
    }
}
