//! Composes the message from a draft.

use std::collections::BTreeSet;

use model::{Labels, Notice, NoticeStatus, ReleaseRef, Send, SendId, SendReason, Timestamp};

use crate::{
    entry::{Channel, Draft, Entry, View},
    group::Group,
    threads::{Subject, Threads},
};

/// The message that `draft` makes for `channel`. `entry` is the channel's as it was before.
pub(crate) fn compose(
    draft: &Draft<'_>,
    (channel, entry, max_alerts): (&Channel, &Entry, usize),
    (group_key, group): (&str, GroupFacts<'_>),
    threads: &Threads,
    tick: Timestamp,
) -> Send {
    let shown = ordered(draft, entry, max_alerts);
    let notices: Vec<Notice> = shown.iter().map(|view| as_told(view, tick)).collect();
    let fresh = (0..shown.len()).filter(|&at| entry.is_fresh(&shown[at])).collect();
    let release = one_release(draft.shown.iter().map(|view| view.notice));
    let cut = draft.shown.len().saturating_sub(shown.len()) as u64;
    let all = || draft.shown.iter().map(|view| view.notice);
    Send {
        id: send_id((group_key, group), channel, &draft.shown),
        receiver: channel.receiver.clone(),
        integration: channel.kind.clone(),
        index: channel.index,
        group_key: group_key.to_owned(),
        group_labels: group.labels.clone(),
        common_labels: common(all().map(|notice| &notice.labels)),
        common_annotations: common(all().map(|notice| &notice.annotations)),
        status: draft.status,
        reason: draft.reason,
        notices,
        fresh,
        truncated: cut + group.refused,
        thread: thread(threads, channel, group_key, release.as_ref(), draft.reason),
        release,
        retry_of: draft.retry.of.clone(),
        settled: draft.retry.settled.clone(),
    }
}

/// What a message takes from its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupFacts<'a> {
    pub(crate) labels: &'a Labels,
    pub(crate) created_at: Timestamp,
    pub(crate) refused: u64,
    pub(crate) sends: u64,
}

impl Group {
    pub(crate) fn facts(&self) -> GroupFacts<'_> {
        GroupFacts {
            labels: &self.labels,
            created_at: self.created_at,
            refused: self.refused,
            sends: self.sends,
        }
    }
}

/// Firing first, then by time; where some have to be left out, the ones not told yet are kept.
fn ordered<'a>(draft: &Draft<'a>, entry: &Entry, max_alerts: usize) -> Vec<View<'a>> {
    let mut shown = draft.shown.clone();
    if max_alerts > 0 && shown.len() > max_alerts {
        shown.sort_by_key(|view| {
            (view.status, !entry.is_fresh(view), view.notice.starts_at, view.fingerprint)
        });
        shown.truncate(max_alerts);
    }
    shown.sort_by_key(|view| (view.status, view.notice.starts_at, view.fingerprint));
    shown
}

/// The notice with its status at the tick; a firing one has no end, so that it cannot turn on its way.
fn as_told(view: &View<'_>, tick: Timestamp) -> Notice {
    let ends_at = match view.status {
        NoticeStatus::Firing => None,
        NoticeStatus::Resolved => Some(view.notice.ends_at.unwrap_or(tick)),
    };
    Notice { status: view.status, ends_at, ..view.notice.clone() }
}

/// The release, if all notices are about the same one.
fn one_release<'a>(notices: impl Iterator<Item = &'a Notice>) -> Option<ReleaseRef> {
    let mut releases = notices.map(|notice| notice.release.as_deref());
    let first = releases.next()??;
    releases.all(|other| other.is_some_and(|other| other.id == first.id)).then(|| first.reference())
}

fn common<'a>(mut sets: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = sets.next() else { return Labels::default() };
    let rest: Vec<&Labels> = sets.collect();
    let same = first.iter().filter(|(name, value)| rest.iter().all(|set| set.get(name) == Some(*value)));
    Labels::from_pairs(same)
}

/// The thread a message continues. A group's thread ends with the last alert in it: a first notification is a
/// new incident and begins a new thread, where an update of the old message would be seen by nobody.
pub(crate) fn thread(
    threads: &Threads,
    channel: &Channel,
    group_key: &str,
    release: Option<&ReleaseRef>,
    reason: SendReason,
) -> Option<String> {
    if release.is_none() && reason == SendReason::FirstNotification {
        return None;
    }
    threads.get(channel, &subject(group_key, release)).map(str::to_owned)
}

/// What the earlier tries of a message left behind.
pub(crate) fn standing_thread(
    threads: &Threads,
    channel: &Channel,
    group_key: &str,
    send: &Send,
) -> Option<String> {
    threads.get(channel, &subject(group_key, send.release.as_ref())).map(str::to_owned)
}

pub(crate) fn subject(group_key: &str, release: Option<&ReleaseRef>) -> Subject {
    release
        .map_or_else(|| Subject::Group(group_key.to_owned()), |release| Subject::Release(release.id.clone()))
}

/// Hash of where the message goes, what it is about and the how-manieth of its group it is, all of which a
/// replay finds again.
fn send_id(group: (&str, GroupFacts<'_>), channel: &Channel, shown: &[View<'_>]) -> SendId {
    let contents = shown.iter().map(|view| (view.fingerprint, view.status, view.notice.id.as_str()));
    id(group, channel, contents.collect())
}

/// As above, for a message made from another one.
pub(crate) fn forwarded_id(group: (&str, GroupFacts<'_>), channel: &Channel, notices: &[Notice]) -> SendId {
    let contents =
        notices.iter().map(|notice| (notice.labels.fingerprint(), notice.status, notice.id.as_str()));
    id(group, channel, contents.collect())
}

fn id(
    (group_key, group): (&str, GroupFacts<'_>),
    channel: &Channel,
    contents: BTreeSet<(u64, NoticeStatus, &str)>,
) -> SendId {
    let numbers = [u64::from(channel.index), group.sends].map(|number| number.to_string());
    let created_at = group.created_at.as_millis().to_string();
    let contents: Vec<String> =
        contents.iter().map(|(print, status, id)| format!("{print:016x} {status:?} {id}")).collect();
    let mut parts = vec![group_key, &channel.receiver, &channel.kind, &numbers[0], &numbers[1], &created_at];
    parts.extend(contents.iter().map(String::as_str));
    SendId::of(&parts)
}
