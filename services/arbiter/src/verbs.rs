//! People's verbs: each is answered with exactly one audit line.

mod approval;
mod halt;
mod rollback;

use model::{CommandState, Decision, HaltScope, Release, ReleaseId, ServiceKey, Verb, VerbKind};

use crate::{Arbiter, arbiter::Moment, destination::Named, text};

/// What came of a verb: what was done, or why it was refused; one sentence for whoever asked.
type Answer = Result<String, String>;

impl Arbiter {
    pub(crate) fn on_verb(&mut self, at: Moment<'_>, verb: &Verb) {
        let who = &verb.actor.name;
        // Before it is done: what a verb ends is not known afterwards.
        let about = self.touched_by(&verb.kind);
        let answer = match &verb.kind {
            VerbKind::Rollback { release, to_version, force } => {
                let named = Named { version: to_version.as_deref(), force: *force };
                self.roll_back(at, verb, release, named)
            }
            VerbKind::Promote { release } => self.wish(at, release, &format!("{who} asks to promote it")),
            VerbKind::Hold { release } => self.wish(at, release, &format!("{who} asks not to promote it")),
            VerbKind::Cancel { release } => self.cancel(at, release, who),
            VerbKind::Approve { command, to_version, force } => {
                self.approve(at, command, Named { version: to_version.as_deref(), force: *force }, who)
            }
            VerbKind::Reject { command } => self.reject(at, command, verb),
            VerbKind::Halt(halt) => self.halt(at, halt),
            VerbKind::Unhalt { id } => self.unhalt(at, id, who),
            VerbKind::ClearBad { service, environment, version } => {
                self.clear_bad(&ServiceKey::new(service, environment), version, who)
            }
        };
        let result = match answer {
            Ok(done) => format!("accepted: {done}"),
            Err(why) => format!("refused: {why}"),
        };
        self.emit(Decision::Audit {
            actor: verb.actor.clone(),
            about,
            what: what(&verb.kind),
            why: verb.comment.clone(),
            result,
        });
    }

    fn touched_by(&self, kind: &VerbKind) -> ServiceKey {
        let of_scope = |scope: &HaltScope| match scope {
            HaltScope::All | HaltScope::Environment(_) => ServiceKey::default(),
            HaltScope::Service { service, environment } => {
                ServiceKey::new(service, environment.as_deref().unwrap_or_default())
            }
        };
        let touched = match kind {
            VerbKind::Rollback { release, .. }
            | VerbKind::Promote { release }
            | VerbKind::Hold { release }
            | VerbKind::Cancel { release } => self.releases.find(release).map(|it| it.release.key.clone()),
            VerbKind::Approve { command, .. } | VerbKind::Reject { command } => {
                self.command(command).map(|command| command.release.key.clone())
            }
            VerbKind::Halt(halt) => Some(of_scope(&halt.scope)),
            VerbKind::Unhalt { id } => {
                self.halts.iter().find(|halt| halt.id == *id).map(|halt| of_scope(&halt.scope))
            }
            VerbKind::ClearBad { service, environment, .. } => Some(ServiceKey::new(service, environment)),
        };
        touched.unwrap_or_default()
    }

    /// Nothing executes a promotion or a hold yet: those who do it by hand are told, and the person who asked hears
    /// that it is not done.
    fn wish(&mut self, at: Moment<'_>, id: &ReleaseId, wish: &str) -> Answer {
        let release = self.live_release(id)?;
        self.progress(at, &release.id, format!("{}: {wish}", text::name_of(&release)));
        Err("there is no actuator for it, so it has to be done by hand; those who follow the release were told".to_owned())
    }

    fn live_release(&self, id: &ReleaseId) -> Result<Release, String> {
        let record = self.releases.find(id).ok_or_else(|| unknown(id))?;
        if record.is_rolled_back || record.release.state.is_final() {
            return Err(format!("the release is {} already", record.standing()));
        }
        Ok(record.release.clone())
    }

    /// Stops watching: the analyzer ends the release, the arbiter what waits to be sent for it.
    fn cancel(&mut self, at: Moment<'_>, id: &ReleaseId, who: &str) -> Answer {
        let record = self.releases.find(id).ok_or_else(|| unknown(id))?;
        let release = record.release.clone();
        // The analyzer may have taken note of the same verb first.
        if release.state.is_final() && release.state != model::ReleaseState::Cancelled {
            return Err(format!("the release is {} already", release.state));
        }
        self.let_go(at, &release.reference(), None);
        let unsent = |state| matches!(state, CommandState::Prepared | CommandState::Ready);
        let newest = self.newest_command(&release.reference()).filter(|command| unsent(command.state));
        if let Some(id) = newest.map(|command| command.id.clone()) {
            self.close(at, &id, CommandState::Cancelled, &format!("{who} cancelled the release"));
        }
        Ok("the release is not watched any more".to_owned())
    }

    fn clear_bad(&mut self, key: &ServiceKey, version: &str, who: &str) -> Answer {
        let cleared = self.bad.clear(key, version);
        if cleared.is_empty() {
            return Err(format!("{version} of {key} is not marked bad"));
        }
        for mut bad in cleared {
            bad.why = format!("cleared by {who}");
            self.emit_bad(&bad, false);
        }
        Ok(format!("{version} may be a target again"))
    }
}

fn unknown(id: &ReleaseId) -> String {
    format!("the release {id} is not known")
}

fn forced(force: bool) -> &'static str {
    if force { " (forced)" } else { "" }
}

fn what(kind: &VerbKind) -> String {
    let to = |version: &Option<String>| version.as_ref().map(|it| format!(" to {it}")).unwrap_or_default();
    match kind {
        VerbKind::Rollback { release, to_version, force } => {
            format!("rollback {release}{}{}", to(to_version), forced(*force))
        }
        VerbKind::Promote { release } => format!("promote {release}"),
        VerbKind::Hold { release } => format!("hold {release}"),
        VerbKind::Cancel { release } => format!("cancel {release}"),
        VerbKind::Approve { command, to_version, force } => {
            format!("approve {command}{}{}", to(to_version), forced(*force))
        }
        VerbKind::Reject { command } => format!("reject {command}"),
        VerbKind::Halt(halt) => format!("halt {} ({})", halt::scope_text(&halt.scope), halt.id),
        VerbKind::Unhalt { id } => format!("unhalt {id}"),
        VerbKind::ClearBad { service, environment, version } => {
            format!("clear bad version {version} of {service} in {environment}")
        }
    }
}
