//! A world around the router: a script of notices goes in, the messages come out as text.
//!
//! A script has a line for each step, `SECOND WORD …`:
//! `+ NAME label=value…` fires an alert, `- NAME label=value…` resolves it, `! KIND NAME label=value…` fires a
//! notice about the release named by the label `release`, `. KIND NAME label=value…` resolves one; a label
//! `@=x` gives the notice the id x, `@severity=critical` its severity and `@age=60` its age in seconds.
//! `hold` keeps deliveries back, `deliver` and `fail` report those kept back and go on by themselves,
//! `break RECEIVER` and `mend RECEIVER` make a receiver fail at once and work again, `reload N` takes the n-th
//! configuration, `end` lets time pass, `next TO=STATE…` says what comes of the recipients of the next message. A message appears as
//! `SECOND receiver/kind/index reason status: +firing -resolved (*fresh)`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{
    Delivery, DeliveryResult, EventId, Labels, Notice, NoticeId, NoticeKind, NoticeStatus, Recipient,
    RecipientState, Release, ReleaseId, Send, Severity, Timestamp,
};

use crate::{Config, GroupBy, Integration, ReceiverPlan, Route, Router, parse_matchers};

pub(super) struct World {
    pub(super) router: Router,
    configs: Vec<Config>,
    now: Timestamp,
    waiting: Vec<Send>,
    is_holding: bool,
    broken: BTreeSet<String>,
    /// Recipients of the next messages, and what comes of each.
    answers: VecDeque<Vec<Recipient>>,
    pub(super) lines: Vec<String>,
    pub(super) sends: Vec<Send>,
    /// What went in, for replays.
    pub(super) records: Vec<(Timestamp, Record)>,
    shows_threads: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Record {
    Notice(Notice),
    Delivery(Delivery),
}

pub(crate) fn second(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

impl World {
    pub(super) fn new(configs: Vec<Config>) -> Self {
        for config in &configs {
            config.validate().unwrap();
        }
        Self {
            router: Router::new(configs[0].clone()),
            configs,
            now: second(0),
            waiting: Vec::new(),
            is_holding: false,
            broken: BTreeSet::new(),
            answers: VecDeque::new(),
            lines: Vec::new(),
            sends: Vec::new(),
            records: Vec::new(),
            shows_threads: false,
        }
    }

    pub(super) fn showing_threads(mut self) -> Self {
        self.shows_threads = true;
        self
    }

    pub(super) fn run(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (at, step) = line.split_once(' ').unwrap();
            self.pass_until(second(at.parse().unwrap()));
            self.step(step);
            self.drain();
        }
    }

    fn step(&mut self, step: &str) {
        let words: Vec<&str> = step.split_whitespace().collect();
        match words[..] {
            ["+", ..] => self.notify(NoticeKind::Alert, NoticeStatus::Firing, &words[1..]),
            ["-", ..] => self.notify(NoticeKind::Alert, NoticeStatus::Resolved, &words[1..]),
            ["!", kind, ..] => self.notify(kind_of(kind), NoticeStatus::Firing, &words[2..]),
            [".", kind, ..] => self.notify(kind_of(kind), NoticeStatus::Resolved, &words[2..]),
            ["hold"] => self.is_holding = true,
            ["deliver"] => self.release(DeliveryResult::Delivered),
            ["fail"] => self.release(DeliveryResult::Failed),
            ["break", receiver] => drop(self.broken.insert(receiver.to_owned())),
            ["next", ..] => self.answers.push_back(words[1..].iter().map(|word| recipient(word)).collect()),
            ["mend", receiver] => drop(self.broken.remove(receiver)),
            ["reload", at] => {
                self.router.reload(self.configs[at.parse::<usize>().unwrap()].clone(), self.now)
            }
            ["end"] => {}
            _ => panic!("no such step: {step}"),
        }
    }

    fn notify(&mut self, kind: NoticeKind, status: NoticeStatus, words: &[&str]) {
        let mut notice = notice(kind, status, words, self.now);
        if status == NoticeStatus::Resolved {
            notice.ends_at = Some(self.now);
        }
        self.records.push((self.now, Record::Notice(notice.clone())));
        self.router.handle_notice(self.now, &notice);
    }

    pub(super) fn pass_until(&mut self, until: Timestamp) {
        while let Some(due) = self.router.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.router.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        let flying = self.router.unfinished();
        let to: BTreeSet<_> = flying
            .iter()
            .map(|send| (&send.group_key, &send.receiver, &send.integration, send.index))
            .collect();
        assert_eq!(to.len(), flying.len(), "one message at a time for each integration of a group");
        while let Some(send) = self.router.poll_send() {
            let thread = match (&send.thread, self.shows_threads) {
                (Some(thread), true) => format!(" in {thread}"),
                (None, true) => " in a new thread".to_owned(),
                (_, false) => String::new(),
            };
            self.lines.push(format!("{} {}{thread}", self.now.as_millis() / 1000, show(&send)));
            self.sends.push(send.clone());
            if self.is_holding {
                self.waiting.push(send);
            } else {
                self.report(&send, DeliveryResult::Delivered);
            }
        }
    }

    fn release(&mut self, result: DeliveryResult) {
        self.is_holding = false;
        for send in std::mem::take(&mut self.waiting) {
            self.report(&send, result);
        }
    }

    fn report(&mut self, send: &Send, result: DeliveryResult) {
        let result = if self.broken.contains(&send.receiver) { DeliveryResult::Failed } else { result };
        let thread = (result == DeliveryResult::Delivered)
            .then(|| send.thread.clone().unwrap_or_else(|| format!("#{}", self.sends.len())));
        let mut delivery = delivery(send, result, thread);
        if let Some(recipients) = self.answers.pop_front() {
            let is_reached = recipients.iter().any(|it| it.state == RecipientState::Reached);
            delivery.result = if is_reached { DeliveryResult::Delivered } else { DeliveryResult::Failed };
            delivery.recipients = recipients;
        }
        self.records.push((self.now, Record::Delivery(delivery.clone())));
        self.router.handle_delivery(self.now, &delivery);
    }
}

pub(crate) fn delivery(send: &Send, result: DeliveryResult, thread: Option<String>) -> Delivery {
    let prints = |status: NoticeStatus| {
        let notices = send.notices.iter().filter(|notice| notice.status == status);
        notices.map(|notice| notice.labels.fingerprint()).collect()
    };
    Delivery {
        send: send.id.clone(),
        notices: send.notices.iter().map(|notice| notice.id.clone()).collect(),
        release: send.release.clone(),
        receiver: send.receiver.clone(),
        integration: send.integration.clone(),
        index: send.index,
        group_key: send.group_key.clone(),
        result,
        attempts: 1,
        detail: String::new(),
        thread,
        firing: prints(NoticeStatus::Firing),
        resolved: prints(NoticeStatus::Resolved),
        recipients: Vec::new(),
    }
}

/// `ann=reached`.
fn recipient(word: &str) -> Recipient {
    use RecipientState as S;
    let (to, state) = word.split_once('=').unwrap();
    let state = [S::Reached, S::Refused, S::Waiting].into_iter().find(|it| it.as_str() == state).unwrap();
    Recipient { to: to.to_owned(), state, detail: String::new() }
}

fn kind_of(name: &str) -> NoticeKind {
    use NoticeKind as K;
    let kinds = [
        K::ReleaseProgress,
        K::Breach,
        K::RollbackPrepared,
        K::RollbackStarted,
        K::RolledBack,
        K::RollbackFailed,
        K::Recovered,
        K::Finding,
        K::Safety,
        K::Alert,
    ];
    kinds.into_iter().find(|kind| kind.as_str() == name).unwrap()
}

fn severity_of(name: &str) -> Severity {
    let all = [Severity::Critical, Severity::Warning, Severity::Info];
    all.into_iter().find(|severity| severity.as_str() == name).unwrap()
}

pub(crate) fn notice(kind: NoticeKind, status: NoticeStatus, words: &[&str], now: Timestamp) -> Notice {
    let mut labels = Labels::from_pairs([("alertname", words[0])]);
    if kind != NoticeKind::Alert {
        labels.set("kind", kind.as_str());
    }
    let (mut id, mut severity, mut starts_at) = (format!("{now}{status:?}"), Severity::Warning, now);
    for (name, value) in words[1..].iter().map(|word| word.split_once('=').unwrap()) {
        match name {
            "@" => id = value.to_owned(),
            "@severity" => severity = severity_of(value),
            "@age" => starts_at = now - std::time::Duration::from_secs(value.parse().unwrap()),
            _ => labels.set(name, value),
        }
    }
    let release = labels
        .get("release")
        .map(|release| Box::new(Release { id: ReleaseId::from_text(release), ..Release::default() }));
    Notice {
        id: NoticeId::from_text(id),
        kind,
        severity,
        status,
        labels,
        annotations: Labels::default(),
        starts_at,
        ends_at: None,
        generator_url: String::new(),
        release,
        command: None,
        reasons: Vec::new(),
        owner: None,
        cause: EventId::default(),
    }
}

pub(crate) fn show(send: &Send) -> String {
    let notices = send.notices.iter().enumerate().map(|(at, notice)| {
        let sign = if notice.status == NoticeStatus::Firing { "+" } else { "-" };
        let star = if send.fresh.contains(&at) { "*" } else { "" };
        format!(" {sign}{}{star}", notice.labels.get("alertname").unwrap_or(""))
    });
    let status = if send.status == NoticeStatus::Firing { "firing" } else { "resolved" };
    let cut = if send.truncated == 0 { String::new() } else { format!(" and {} more", send.truncated) };
    let rest = match send.settled.as_slice() {
        [] => String::new(),
        settled => format!(" without {}", settled.join(",")),
    };
    let again = if send.retry_of.is_some() { " again" } else { "" };
    format!(
        "{}/{}/{} {} {status}:{}{cut}{again}{rest}",
        send.receiver,
        send.integration,
        send.index,
        send.reason.as_str(),
        notices.collect::<String>()
    )
}

/// Root route to `sre` with one integration that is told resolutions, grouped by `group` (which most tests
/// leave out); group_wait 30 s, group_interval 5 min, repeat_interval 1 h.
pub(crate) fn config() -> Config {
    Config {
        route: Route {
            receiver: Some("sre".into()),
            group_by: Some(GroupBy::Labels(vec!["group".into()])),
            repeat_interval: Some(std::time::Duration::from_secs(3600)),
            ..Route::default()
        },
        receivers: BTreeMap::from([("sre".to_owned(), plan(&["webhook"]))]),
        ..Config::default()
    }
}

pub(crate) fn plan(kinds: &[&str]) -> ReceiverPlan {
    let integration =
        |kind: &&str| Integration { kind: kind.to_string(), send_resolved: true, max_alerts: 0 };
    ReceiverPlan { integrations: kinds.iter().map(integration).collect(), fallback: None }
}

pub(super) fn child(matchers: &str, receiver: &str) -> Route {
    Route { receiver: Some(receiver.into()), matchers: parse_matchers(matchers).unwrap(), ..Route::default() }
}

pub(super) fn check(config: Config, script: &str, expected: expect_test::Expect) {
    check_reloads(vec![config], script, expected);
}

pub(super) fn check_reloads(configs: Vec<Config>, script: &str, expected: expect_test::Expect) {
    let mut world = World::new(configs);
    world.run(script);
    expected.assert_eq(&world.lines.join("\n"));
}
