//! Promises about what people are told.

use std::collections::{BTreeMap, BTreeSet};

use model::{Notice, NoticeId, NoticeKind, NoticeStatus, Send, SendReason};

use super::Promises;
use crate::{outside::Arrived, world::second_of};

/// An alert may be over before its group's turn comes, or while nobody is there to tell: a group's interval, and
/// the longest time for which a role may be missing.
const OVER_BEFORE_TOLD_SECONDS: i64 = 240;

impl Promises {
    /// At the end of the run, when all messages had time to arrive.
    pub(crate) fn check_messages(&mut self, arrived: &[Arrived], failed: &BTreeSet<String>, end: u32) {
        let mut told: BTreeMap<(String, u64), NoticeStatus> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for message in arrived {
            // What comes again is known by its id, however late it is.
            if !ids.insert((&message.send.receiver, &message.send.id)) {
                continue;
            }
            for notice in &message.send.notices {
                let is_lost = failed.contains(&failure(&message.send.receiver, notice));
                if is_lost && notice.status == NoticeStatus::Firing {
                    continue;
                }
                let key = (message.send.receiver.clone(), notice.labels.fingerprint());
                told.insert(key, notice.status);
            }
        }
        let end = i64::from(end);
        for (labels, at) in self.resolved.clone() {
            let print = labels.fingerprint();
            for receiver in ["sre", "pager"] {
                let is_open = told.get(&(receiver.to_owned(), print)) == Some(&NoticeStatus::Firing);
                if is_open && end - at > 300 {
                    let what = format!("{receiver} was never told that {labels} is over since {at}");
                    self.broken("each firing that was delivered gets its resolved", end, what);
                }
            }
        }
        for (labels, (at, notice)) in self.firing.clone() {
            let print = labels.fingerprint();
            let is_short = notice.ends_at.is_some_and(|end| second_of(end) < at + OVER_BEFORE_TOLD_SECONDS);
            if is_short {
                continue;
            }
            let is_told = ["sre", "pager"].iter().any(|it| told.contains_key(&((*it).to_owned(), print)));
            if !is_told && end - at > 300 && !failed.contains(notice.id.as_str()) {
                self.broken(
                    "each firing notice is delivered or its failure is seen",
                    end,
                    labels.to_string(),
                );
            }
        }
    }

    /// At the end of the run: what comes again is known by its id, whoever sends it. Only after a failure it is
    /// another try, and one of two processes that both tell may have seen it fail where the other one did not.
    pub(crate) fn check_ids(&mut self, arrived: &[Arrived], failed: &BTreeSet<String>, end: u32) {
        let mut last: BTreeMap<(&str, &str), &Send> = BTreeMap::new();
        for Arrived { send } in arrived {
            let key = (send.receiver.as_str(), send.group_key.as_str());
            let Some(before) = last.insert(key, send) else { continue };
            let is_repeat = send.reason == SendReason::RepeatIntervalElapsed;
            let is_another_try = [before, send].iter().any(|it| failed.contains(it.id.as_str()));
            if before.id != send.id && tells_the_same(before, send) && !is_repeat && !is_another_try {
                let what = format!("{} came again as {}", before.id, send.id);
                self.broken("what comes again has its id", i64::from(end), what);
            }
        }
    }

    /// At the end of the run: nothing fires for what is over. An alert from elsewhere ends where it came from.
    pub(crate) fn check_nothing_fires_for_what_is_over(&mut self, end: u32) {
        for (labels, (at, notice)) in self.firing.clone() {
            if notice.kind == NoticeKind::Alert {
                continue;
            }
            let release = notice.release.as_ref().and_then(|it| self.releases.get(&it.id));
            let Some(release) = release.filter(|release| release.state.is_final()) else { continue };
            let what = format!("{labels} since {at}, the release is {}", release.state);
            self.broken("nothing fires for a release that is over", i64::from(end), what);
        }
    }
}

fn tells_the_same(one: &Send, other: &Send) -> bool {
    let of = |send: &Send| {
        let notices = send.notices.iter().map(|notice| (notice.id.clone(), notice.status));
        notices.collect::<Vec<(NoticeId, NoticeStatus)>>()
    };
    one.reason == other.reason && of(one) == of(other)
}

/// What is noted where a receiver could not be told: of what had arrived all the same nobody knows that it did.
pub(crate) fn failure(receiver: &str, notice: &Notice) -> String {
    format!("{receiver} {}", notice.id)
}
