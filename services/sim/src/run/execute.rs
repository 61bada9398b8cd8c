//! What leaves Ripcord: commands to the deployment tool, messages to receivers.

use model::{Command, DeploymentEvent, DeploymentStatus, EventBody, OutcomeStatus};

use super::{Died, Simulation};
use crate::{
    Sabotage,
    act::outcome,
    faults::CrashPoint,
    notify::delivery,
    outside::{Answer, Arrived, Post},
    process::Running,
    promises::failure,
    random::Random,
    world::moment,
};

impl Simulation {
    pub(super) fn execute(
        &mut self,
        number: usize,
        running: &mut Running,
        second: u32,
    ) -> Result<bool, Died> {
        let now = moment(second);
        let due = running.act.as_mut().map(|act| act.take_due(second)).unwrap_or_default();
        let has_worked = !due.is_empty();
        for command in due {
            // The gate's word must not be older than the send.
            running.known.catch_up(&self.log);
            let Some(act) = running.act.as_mut() else { break };
            let checked = match self.sabotage {
                Some(Sabotage::ActsBeforeAppend) => Ok(()),
                _ => act.check(&command, now, &running.known),
            };
            if let Err((why, is_stale)) = checked {
                let outcome = outcome(&command, OutcomeStatus::Refused, &why, is_stale);
                running.to_append.push(("act", EventBody::Outcome(Box::new(outcome))));
                continue;
            }
            self.tries += 1;
            let parts = ["target", command.id.as_str(), &self.tries.to_string()];
            let answer = Answer::draw(&mut Random::stream(self.seed, &parts));
            self.send_command(&command, answer, second);
            self.dies_at(number, CrashPoint::AfterSend)?;
            let status = match answer {
                Answer::Accepts | Answer::AcceptsTwice => OutcomeStatus::Accepted,
                Answer::Succeeds => OutcomeStatus::Succeeded,
                Answer::Fails | Answer::FailsAndSucceeds => OutcomeStatus::Failed,
            };
            let outcome = outcome(&command, status, &format!("{answer:?}"), self.tries.is_multiple_of(2));
            running.to_append.push(("act", EventBody::Outcome(Box::new(outcome))));
        }
        Ok(has_worked)
    }

    fn send_command(&mut self, command: &Command, answer: Answer, second: u32) {
        self.story.tell(i64::from(second), || {
            format!("-> {} {:?} to {:?}: {answer:?}", command.id, command.mode, command.to_version)
        });
        if answer == Answer::Fails {
            return;
        }
        let times = if answer == Answer::AcceptsTwice { 2 } else { 1 };
        for _ in 0..times {
            let execution = self.deployer.receive(second, command);
            self.figures.executions += 1;
            self.promises.note_execution(&execution, moment(second));
            if execution.is_effective {
                self.go_back(command, second);
            }
        }
        if answer != Answer::Succeeds {
            let at = second + self.random.between(5, 60);
            self.reports.push((at, rolled_back(command)));
        }
    }

    /// The deployment tool did what it was told.
    fn go_back(&mut self, command: &Command, second: u32) {
        let service = self.plan.services.iter().position(|it| it.name == command.release.key.service);
        let Some(service) = service else { return };
        let versions = &self.plan.services[service].versions;
        let version = versions.iter().position(|it| Some(&it.name) == command.to_version.as_ref());
        if let Some(version) = version {
            self.world.services[service].run_alone(version, second);
        }
    }

    pub(super) fn post(&mut self, number: usize, running: &mut Running, second: u32) -> Result<bool, Died> {
        let Some(telling) = running.telling.as_mut() else { return Ok(false) };
        for send in std::mem::take(&mut telling.outgoing) {
            self.tries += 1;
            let parts = ["receiver", send.id.as_str(), &self.tries.to_string()];
            let post = Post::draw(&mut Random::stream(self.seed, &parts));
            telling.posts.push((second + post.seconds, send, post));
        }
        let (due, waiting): (Vec<_>, Vec<_>) = telling.posts.drain(..).partition(|(at, ..)| *at <= second);
        telling.posts = waiting;
        let has_worked = !due.is_empty();
        for (_, send, post) in due {
            self.story.tell_message(i64::from(second), number, &send, post.is_delivered);
            if post.is_delivered {
                self.figures.messages += 1;
                self.arrived.push(Arrived { send: send.clone() });
                self.dies_at(number, CrashPoint::AfterSend)?;
            } else {
                self.failed.insert(send.id.to_string());
                self.failed.extend(send.notices.iter().map(|notice| notice.id.to_string()));
                self.failed.extend(send.notices.iter().map(|notice| failure(&send.receiver, notice)));
            }
            let delivery = delivery(&send, post.is_delivered);
            let thread = delivery.thread.clone();
            running.to_append.push(("notify", EventBody::Delivery(Box::new(delivery))));
            telling.go_on(&send, thread);
        }
        Ok(has_worked)
    }
}

/// The deployment tool reports that the release is gone.
fn rolled_back(command: &Command) -> EventBody {
    EventBody::Deployment(Box::new(DeploymentEvent {
        release_id: command.release.id.clone(),
        key: command.release.key.clone(),
        version: command.release.version.clone(),
        status: DeploymentStatus::RolledBack,
        ..DeploymentEvent::default()
    }))
}
