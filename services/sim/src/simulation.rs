//! One run: seconds pass, things happen, the process judges, dies and comes back, and promises are looked at.

use std::{collections::BTreeSet, time::Duration};

use model::{
    Decision, DecisionRecord, DeploymentEvent, DeploymentStatus, Event, EventBody, EventId, OutcomeStatus,
    PolicyLoad, Position, Proposal, Send, Standing, values::ValuesQuery,
};

use crate::{
    act::{Act, Projection, outcome},
    channel::{Channel, Parcel},
    judge::{Judge, Logs, judged_without_a_crash},
    notify::{Notify, delivery},
    outside::{Answer, Arrived, Deployer, Post},
    people,
    plan::{Crash, CrashPoint, Deed, Plan, Telemetry},
    promises::{Promises, Violation, messages_under_two_ids},
    random::Random,
    story::Story,
    world::{World, moment, second_of},
};

/// A record that a failed write left on the log twice, by record.
const WRITTEN_TWICE: f64 = 0.02;

/// After a gap in the telemetry counts may hold what was before it, for as long as the longest window.
const COUNTS_SETTLE_AFTER: u32 = 420;

/// A fault put into the world around the cores on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The deployment tool carries a command out each time it comes.
    TargetIgnoresIds,
    /// Decisions are carried out before they are on the log.
    ActsBeforeAppend,
    /// A body of request events that its sender repeats counts twice.
    RepeatsCountAsNew,
}

/// Seconds between two snapshots of the judge.
const SNAPSHOT_PERIOD: u32 = 60;

/// How to run a seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub tells_story: bool,
    pub sabotage: Option<Sabotage>,
}

/// How much happened, summed over runs to see that the runs are worth something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub events: u64,
    pub decisions: u64,
    pub releases: u64,
    pub crashes: u64,
    pub automatic_rollbacks: u64,
    /// Of versions with nothing wrong in them: only a shared outage can cause one.
    pub blameless_rollbacks: u64,
    pub executions: u64,
    pub messages: u64,
    /// Runs in which a crash changed a number in some reason, though no decision. None would be better.
    pub runs_with_other_numbers: u64,
    /// Messages that came again under another id after a crash. None would be better.
    pub messages_under_two_ids: u64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.decisions += other.decisions;
        self.releases += other.releases;
        self.crashes += other.crashes;
        self.automatic_rollbacks += other.automatic_rollbacks;
        self.blameless_rollbacks += other.blameless_rollbacks;
        self.executions += other.executions;
        self.messages += other.messages;
        self.runs_with_other_numbers += other.runs_with_other_numbers;
        self.messages_under_two_ids += other.messages_under_two_ids;
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    pub violations: Vec<Violation>,
    pub story: Vec<String>,
    /// Every decision as text, in order.
    pub decisions: Vec<String>,
    pub figures: Figures,
}

/// Runs a seed to its end.
pub fn run(seed: u64, options: Options) -> Report {
    let mut simulation = Simulation::new(seed, options);
    for second in 1..=simulation.plan.ends_at {
        simulation.pass(second);
    }
    simulation.finish()
}

/// What dies in a crash.
struct Process {
    judge: Judge,
    projection: Projection,
    act: Act,
    notify: Notify,
    /// Decision records that act and notify have read.
    read: usize,
    posts: Vec<(u32, Send, Post)>,
}

/// The process is gone.
struct Died;

struct Simulation {
    seed: u64,
    options: Options,
    plan: Plan,
    random: Random,
    world: World,
    channel: Channel,
    logs: Logs,
    process: Option<Process>,
    deployer: Deployer,
    /// What the deployment tool will report, and when.
    reports: Vec<(u32, EventBody)>,
    inbox: Vec<(&'static str, EventBody)>,
    requests_taken: BTreeSet<u64>,
    arrived: Vec<Arrived>,
    /// Ids of messages, and of the notices in them, that a receiver failed to deliver.
    failed: BTreeSet<String>,
    promises: Promises,
    story: Story,
    policy: PolicyLoad,
    policy_generation: u32,
    armed: Option<Crash>,
    crashes_begun: usize,
    down_until: u32,
    down_spans: Vec<(u32, u32)>,
    tries: u32,
    figures: Figures,
}

impl Simulation {
    fn new(seed: u64, options: Options) -> Self {
        let plan = Plan::draw(seed);
        let policy = load(plan.policy_text(0), "start");
        let mut simulation = Self {
            seed,
            options,
            random: Random::stream(seed, &["run"]),
            world: World::new(seed, &plan),
            channel: Channel::new(seed),
            logs: Logs::default(),
            process: None,
            deployer: Deployer::new(options.sabotage != Some(Sabotage::TargetIgnoresIds)),
            reports: Vec::new(),
            inbox: vec![("start", EventBody::PolicyLoad(Box::new(policy.clone())))],
            requests_taken: BTreeSet::new(),
            arrived: Vec::new(),
            failed: BTreeSet::new(),
            promises: Promises::default(),
            story: Story::new(options.tells_story),
            policy,
            policy_generation: 0,
            armed: None,
            crashes_begun: 0,
            down_until: 0,
            down_spans: Vec::new(),
            tries: 0,
            figures: Figures::default(),
            plan,
        };
        simulation.start(0);
        simulation
    }

    fn pass(&mut self, second: u32) {
        self.do_deeds(second);
        for emission in self.world.pass(second, &self.plan) {
            self.channel.send(second, emission, &self.plan);
        }
        for parcel in self.channel.arrivals(second) {
            self.take_parcel(parcel);
        }
        let (due, later): (Vec<_>, Vec<_>) = self.reports.drain(..).partition(|(at, _)| *at <= second);
        self.reports = later;
        self.inbox.extend(due.into_iter().map(|(_, body)| ("deployer", body)));
        if self.process.is_none() {
            if self.down_until > second {
                return;
            }
            self.start(second);
        }
        self.arm(second);
        for (source, body) in std::mem::take(&mut self.inbox) {
            self.append(second, source, body);
        }
        self.append(second, "tick", EventBody::Tick);
        self.work(second);
        if second.is_multiple_of(60) {
            self.check_counts(second);
        }
    }

    /// The process works until it has nothing to do or dies; one that is back at once goes on.
    fn work(&mut self, second: u32) {
        while let Some(mut process) = self.process.take() {
            let point = self.armed.as_ref().map(|crash| crash.point);
            let result = match point {
                Some(CrashPoint::Idle) => Err(Died),
                _ => self.run_process(&mut process, second),
            };
            if result.is_ok() {
                self.process = Some(process);
                return;
            }
            self.die(second);
            if self.down_until <= second {
                self.start(second);
            }
        }
    }

    fn run_process(&mut self, process: &mut Process, second: u32) -> Result<(), Died> {
        loop {
            self.judge(process, second)?;
            self.read(process, second);
            let before = self.logs.events.len();
            self.execute(process, second)?;
            self.post(process, second)?;
            if self.logs.events.len() == before {
                return Ok(());
            }
        }
    }

    fn judge(&mut self, process: &mut Process, second: u32) -> Result<(), Died> {
        while let Some(record) = process.judge.next_record(&self.logs, moment(second)) {
            let is_empty = record.decisions.is_empty();
            if self.options.sabotage == Some(Sabotage::ActsBeforeAppend) {
                process.act.take(&record, second);
                self.execute(process, second)?;
            }
            if !is_empty {
                self.dies_at(CrashPoint::BeforeAppend)?;
            }
            self.append_record(&record);
            if !is_empty {
                self.dies_at(CrashPoint::AfterAppend)?;
            }
        }
        if second.is_multiple_of(SNAPSHOT_PERIOD) {
            self.logs.snapshot = process.judge.snapshot();
        }
        Ok(())
    }

    fn append_record(&mut self, record: &DecisionRecord) {
        self.promises.note_record(record, &self.plan);
        self.story.tell_record(second_of(record.at), record);
        self.logs.decisions.push(record.clone());
        if self.random.chance(WRITTEN_TWICE) {
            self.logs.decisions.push(record.clone());
        }
    }

    /// act and notify follow the decisions log.
    fn read(&mut self, process: &mut Process, second: u32) {
        let now = moment(second);
        while let Some(record) = self.logs.decisions.get(process.read) {
            let at = Position(process.read as u64);
            process.read += 1;
            let lag = self.random.between(0, 2);
            process.projection.apply(at, record);
            process.act.read(at, record, second + lag);
            process.notify.read(at, record, now);
        }
        process.notify.pass(now);
    }

    fn execute(&mut self, process: &mut Process, second: u32) -> Result<(), Died> {
        let now = moment(second);
        for command in process.act.take_due(second) {
            let checked = match self.options.sabotage {
                Some(Sabotage::ActsBeforeAppend) => Ok(()),
                _ => process.act.check(&command, now, &process.projection),
            };
            if let Err((why, is_stale)) = checked {
                let outcome = outcome(&command, OutcomeStatus::Refused, &why, is_stale);
                self.append(second, "act", EventBody::Outcome(Box::new(outcome)));
                continue;
            }
            self.tries += 1;
            let parts = ["target", command.id.as_str(), &self.tries.to_string()];
            let answer = Answer::draw(&mut Random::stream(self.seed, &parts));
            self.send_command(&command, answer, second);
            self.dies_at(CrashPoint::AfterSend)?;
            let status = match answer {
                Answer::Accepts | Answer::AcceptsTwice => OutcomeStatus::Accepted,
                Answer::Succeeds => OutcomeStatus::Succeeded,
                Answer::Fails | Answer::FailsAndSucceeds => OutcomeStatus::Failed,
            };
            let outcome = outcome(&command, status, &format!("{answer:?}"), false);
            self.append(second, "act", EventBody::Outcome(Box::new(outcome)));
        }
        Ok(())
    }

    fn send_command(&mut self, command: &model::Command, answer: Answer, second: u32) {
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
    fn go_back(&mut self, command: &model::Command, second: u32) {
        let service = self.plan.services.iter().position(|it| it.name == command.release.key.service);
        let Some(service) = service else { return };
        let versions = &self.plan.services[service].versions;
        let version = versions.iter().position(|it| Some(&it.name) == command.to_version.as_ref());
        if let Some(version) = version {
            self.world.services[service].run_alone(version, second);
        }
    }

    fn post(&mut self, process: &mut Process, second: u32) -> Result<(), Died> {
        for send in std::mem::take(&mut process.notify.outgoing) {
            self.tries += 1;
            let parts = ["receiver", send.id.as_str(), &self.tries.to_string()];
            let post = Post::draw(&mut Random::stream(self.seed, &parts));
            process.posts.push((second + post.seconds, send, post));
        }
        let (due, waiting): (Vec<_>, Vec<_>) = process.posts.drain(..).partition(|(at, ..)| *at <= second);
        process.posts = waiting;
        for (_, send, post) in due {
            if post.is_delivered {
                self.figures.messages += 1;
                self.arrived.push(Arrived { send: send.clone() });
                self.dies_at(CrashPoint::AfterSend)?;
            } else {
                self.failed.insert(send.id.to_string());
                self.failed.extend(send.notices.iter().map(|notice| notice.id.to_string()));
            }
            let delivery = delivery(&send, post.is_delivered);
            let thread = delivery.thread.clone();
            self.append(second, "notify", EventBody::Delivery(Box::new(delivery)));
            process.notify.go_on(&send, thread);
        }
        Ok(())
    }

    fn append(&mut self, second: u32, source: &str, body: EventBody) {
        let position = self.logs.events.len();
        let id = EventId::from_text(format!("evt_{position}"));
        let event = Event { id, at: moment(second), source: source.to_owned(), is_copy: false, body };
        self.story.tell_event(i64::from(second), &event.body);
        self.promises.note_event(&event);
        self.logs.events.push(event);
    }

    fn take_parcel(&mut self, parcel: Parcel) {
        let is_repeat = !self.requests_taken.insert(parcel.request);
        let counts_repeats = self.options.sabotage == Some(Sabotage::RepeatsCountAsNew);
        // Samples are told apart by their time; nothing but their sender tells request events apart.
        if is_repeat && matches!(parcel.body, EventBody::Requests(_)) && !counts_repeats {
            return;
        }
        self.inbox.push(("telemetry", parcel.body));
    }
}

/// Deeds.
impl Simulation {
    fn do_deeds(&mut self, second: u32) {
        for span in self.plan.silences.iter().chain(&self.plan.outage).filter(|span| span.from == second) {
            self.story.tell(i64::from(second), || format!("** silence or outage {span:?}"));
        }
        let now: Vec<Deed> =
            self.plan.deeds.iter().filter(|(at, _)| *at == second).map(|(_, deed)| *deed).collect();
        for deed in now {
            self.story.tell(i64::from(second), || format!("** {deed:?}"));
            self.do_deed(deed, second);
        }
    }

    fn do_deed(&mut self, deed: Deed, second: u32) {
        match deed {
            Deed::Deploy { service, version, is_canary } => self.deploy(service, version, is_canary, second),
            Deed::Promote { service, version } => {
                // Rolled back or overtaken meanwhile: the pipeline does not go on.
                if self.world.services[service].is_running(version) {
                    self.world.services[service].run_alone(version, second);
                    self.announce(service, version, DeploymentStatus::Promoted, None);
                }
            }
            Deed::Redeploy { service } => {
                let Some(version) = self.world.services[service].current() else { return };
                self.announce(service, version, DeploymentStatus::Deployed, None);
            }
            Deed::Remove { service } => {
                let Some(version) = self.world.services[service].current() else { return };
                self.world.services[service].remove(second);
                self.announce(service, version, DeploymentStatus::Removed, None);
            }
            Deed::ReplacePods { service } => self.world.services[service].replace_pods(),
            Deed::ResetCounters { service } => self.world.services[service].reset_counters(),
            Deed::Reload { is_good } => self.reload(is_good),
            _ => {
                let Some(process) = &self.process else { return };
                let now = moment(second);
                let verb = people::verb(deed, &process.projection, &self.plan, &self.world, now);
                self.inbox.extend(verb.map(|verb| ("api", EventBody::Verb(Box::new(verb)))));
            }
        }
    }

    fn deploy(&mut self, service: usize, version: usize, is_canary: bool, second: u32) {
        let running = &mut self.world.services[service];
        let is_canary = is_canary && running.current().is_some();
        if is_canary {
            running.run_canary(version);
        } else {
            running.run_alone(version, second);
        }
        let share = is_canary.then_some(25.0);
        self.announce(service, version, DeploymentStatus::Deployed, share);
    }

    fn announce(&mut self, service: usize, version: usize, status: DeploymentStatus, share: Option<f64>) {
        let planned = &self.plan.services[service];
        let event = DeploymentEvent {
            release_id: people::release_id(&self.plan, service, version),
            key: self.world.services[service].key.clone(),
            version: planned.versions[version].name.clone(),
            previous_version: (version > 0).then(|| planned.versions[version - 1].name.clone()),
            status,
            traffic_percentage: share,
            ..DeploymentEvent::default()
        };
        self.inbox.push(("ci", EventBody::Deployment(Box::new(event))));
    }

    fn reload(&mut self, is_good: bool) {
        if self.process.is_none() {
            return;
        }
        if !is_good {
            let bad = load("rollback_triggers: 7".to_owned(), "reload");
            return self.inbox.push(("reload", EventBody::PolicyLoad(Box::new(bad))));
        }
        self.policy_generation += 1;
        self.policy = load(self.plan.policy_text(self.policy_generation), "reload");
        self.inbox.push(("reload", EventBody::PolicyLoad(Box::new(self.policy.clone()))));
    }
}

/// Death and birth.
impl Simulation {
    fn arm(&mut self, second: u32) {
        let next = self.plan.crashes.get(self.crashes_begun);
        if self.armed.is_none() && next.is_some_and(|crash| crash.from <= second) {
            self.armed = next.copied();
            self.crashes_begun += 1;
        }
    }

    fn dies_at(&self, point: CrashPoint) -> Result<(), Died> {
        if self.armed.is_some_and(|crash| crash.point == point) { Err(Died) } else { Ok(()) }
    }

    fn die(&mut self, second: u32) {
        let Some(crash) = self.armed.take() else { return };
        self.figures.crashes += 1;
        self.down_until = second + crash.down_seconds;
        self.down_spans.push((second, self.down_until));
        self.story.tell(i64::from(second), || format!("xx {crash:?}"));
        if crash.is_double {
            // Replays and dies before it did anything: nothing of that may be left.
            drop(self.restored(second));
        }
    }

    fn start(&mut self, second: u32) {
        self.process = Some(self.restored(second));
    }

    fn restored(&self, second: u32) -> Process {
        let longest = policy::compile(&self.policy).0.map_or(Duration::ZERO, |policy| {
            policy.windows().into_values().flatten().max().unwrap_or_default()
        });
        let projection = Projection::of(&self.logs.decisions);
        let start = self.figures.crashes as usize + 1;
        // Every other start has lost the snapshot, or cannot use it.
        let is_snapshot_used = start.is_multiple_of(2);
        Process {
            judge: Judge::restore(&self.logs, longest, start, is_snapshot_used),
            act: Act::restore(&projection, second),
            projection,
            notify: Notify::restore(&self.logs.decisions),
            read: self.logs.decisions.len(),
            posts: Vec::new(),
        }
    }
}

/// What is looked at besides each step.
impl Simulation {
    fn check_counts(&mut self, second: u32) {
        let Some(process) = &self.process else { return };
        let analyzer = process.judge.keeper.analyzer();
        let is_after_gap = self.is_after_gap(second);
        let bounds = [
            ("releases", analyzer.counters().releases as usize, 200),
            ("services", analyzer.counters().services as usize, self.plan.services.len()),
            ("commands", process.judge.chair.arbiter().commands().count(), 200),
            ("groups", process.notify.router.counts().groups, 50),
            ("messages under way", process.notify.router.counts().in_flight, 50),
        ];
        for (name, value, most) in bounds {
            self.promises.check_bound(second, name, value, most);
        }
        for (index, service) in self.plan.services.iter().enumerate() {
            let is_scraped = service.telemetry != Telemetry::Requests;
            if service.telemetry == Telemetry::Unversioned || (is_scraped && is_after_gap) {
                continue;
            }
            let query = ValuesQuery { service: service.name.clone(), ..ValuesQuery::default() };
            for values in analyzer.values(moment(second), &query) {
                // A slot may reach further back than the window, and a scrape holds what was since the last one
                // that arrived.
                let slack = if is_scraped { 120 } else { 10 };
                let from = second.saturating_sub(values.window.as_secs() as u32 + slack);
                for version in &values.versions {
                    let named =
                        service.versions.iter().position(|it| Some(&it.name) == version.version.as_ref());
                    let Some(named) = named else { continue };
                    let served = self.world.services[index].served_since(named, from);
                    self.promises.check_counted_at_most_once(second, &service.name, version.requests, served);
                }
            }
        }
    }

    /// The first scrape after a gap holds all of the gap.
    fn is_after_gap(&self, second: u32) -> bool {
        let silences = self.plan.silences.iter().map(|it| (it.from, it.until));
        let mut gaps = self.down_spans.iter().copied().chain(silences);
        gaps.any(|(from, until)| from < second && second < until + COUNTS_SETTLE_AFTER)
    }

    fn finish(mut self) -> Report {
        let end = self.plan.ends_at;
        let (plan, down) = (self.plan.clone(), self.down_spans.clone());
        let touches = |span: (u32, u32), from: u32, until: u32| span.0 < until && from < span.1 + 60;
        self.promises.check_bad_releases_were_found(&plan, |from, until| {
            let is_disturbed = plan.deeds.iter().any(|(at, deed)| {
                (from..until).contains(at) && !matches!(deed, Deed::Approve | Deed::Deploy { .. })
            });
            let is_down = down.iter().any(|span| touches(*span, from, until));
            let is_silent = plan.silences.iter().any(|it| touches((it.from, it.until), from, until));
            !(is_disturbed || is_down || is_silent)
        });
        self.promises.check_messages(&self.arrived, &self.failed, end);
        self.promises.check_nothing_fires_for_what_is_over(end);
        let reference = judged_without_a_crash(&self.logs.events);
        let (have, want) = (lines(&self.logs.decisions, outline), lines(&reference, outline));
        self.promises.check_equal("a crash changes no decision", &have, &want);
        let in_full = |decision: &Decision| Some(format!("{decision:?}"));
        let (decisions, want) = (lines(&self.logs.decisions, in_full), lines(&reference, in_full));
        self.figures.runs_with_other_numbers = u64::from(decisions != want);
        self.figures.messages_under_two_ids = messages_under_two_ids(&self.arrived, &self.failed);
        let (automatic, blameless) = (self.promises.automatic.len(), self.promises.blameless.len());
        let figures = Figures {
            events: self.logs.events.len() as u64,
            decisions: decisions.len() as u64,
            releases: self.promises.releases() as u64,
            automatic_rollbacks: automatic as u64,
            blameless_rollbacks: blameless as u64,
            ..self.figures
        };
        Report { violations: self.promises.violations, story: self.story.lines, decisions, figures }
    }
}

/// Every decision that counts as a line.
fn lines(records: &[DecisionRecord], text: impl Fn(&Decision) -> Option<String>) -> Vec<String> {
    let (mut lines, mut standing) = (Vec::new(), Standing::default());
    for (at, record) in records.iter().enumerate() {
        if standing.admit(Position(at as u64), record) {
            let texts = record.decisions.iter().filter_map(&text);
            lines.extend(texts.map(|text| format!("{} {} {text}", record.at, record.position.0)));
        }
    }
    lines
}

/// What others see of a decision and act upon.
fn outline(decision: &Decision) -> Option<String> {
    Some(match decision {
        Decision::Proposal(Proposal::Release(release)) => {
            format!("release {} {} {:?}", release.id, release.state, release.watch_until)
        }
        Decision::Proposal(Proposal::Breach(breach)) => {
            format!("breach {} {:?} {}", breach.key, breach.release, breach.reason.trigger)
        }
        Decision::Proposal(Proposal::BreachEnded { key, release, trigger }) => {
            format!("breach ended {key} {release:?} {trigger}")
        }
        Decision::Proposal(Proposal::Limit(limit)) => {
            format!("limit {} {} {}", limit.key, limit.trigger, limit.is_exceeded)
        }
        Decision::Proposal(Proposal::Finding(finding)) => {
            format!("finding {} {:?} {}", finding.key, finding.kind, finding.is_active)
        }
        Decision::Proposal(_) => return None,
        Decision::Command(command) => format!(
            "{} #{} {} {:?} to {:?}, {} reasons",
            command.id,
            command.fencing,
            command.state.as_str(),
            command.mode,
            command.to_version,
            command.reasons.len()
        ),
        Decision::Notice(notice) => format!("notice {:?} {}", notice.status, notice.labels),
        Decision::Halt { halt, is_active } => format!("halt {} {is_active}", halt.id),
        Decision::BadVersion { service, version, is_bad, .. } => format!("bad {service} {version} {is_bad}"),
        Decision::Audit { what, result, .. } => format!("audit {what}: {result}"),
    })
}

fn load(text: String, origin: &str) -> PolicyLoad {
    PolicyLoad { files: vec![("ripcord.yml".to_owned(), text)], origin: origin.to_owned() }
}

/// The deployment tool reports that the release is gone.
fn rolled_back(command: &model::Command) -> EventBody {
    EventBody::Deployment(Box::new(DeploymentEvent {
        release_id: command.release.id.clone(),
        key: command.release.key.clone(),
        version: command.release.version.clone(),
        status: DeploymentStatus::RolledBack,
        ..DeploymentEvent::default()
    }))
}
