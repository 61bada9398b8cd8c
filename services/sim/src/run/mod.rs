//! One run: seconds pass, things happen, processes work, die and come back, and promises are looked at.

mod deeds;
mod drive;
mod ending;
mod execute;
mod ingest;
mod look;
mod members;

use std::collections::BTreeSet;

use model::{EventBody, Partition, PolicyLoad, Position, ServiceKey};

use crate::{
    Figures, Options, Report, Sabotage,
    channel::Channel,
    faults::CutOff,
    group::Group,
    log::Log,
    outside::{Arrived, Deployer},
    plan::Plan,
    process::{Process, Running},
    projection::Projection,
    promises::Promises,
    random::Random,
    reference::Mark,
    story::Story,
    world::{World, moment},
};

/// Runs a seed to its end.
pub fn run(seed: u64, options: Options) -> Report {
    let mut simulation = Simulation::new(seed, options);
    for second in 1..=simulation.plan.ends_at {
        simulation.pass(second);
    }
    simulation.finish()
}

/// The process is gone.
struct Died;

/// Who shares what.
struct Groups {
    /// The partitions of events among judges, and among those that act.
    analyze: Group,
    act: Group,
    /// One partition each: one process decides, one tells.
    arbiter: Group,
    notify: Group,
}

/// Something that its sender waits to have acked.
#[derive(Clone, Debug)]
struct Waiting {
    source: &'static str,
    /// Whose telemetry it is.
    of: Option<ServiceKey>,
    body: EventBody,
}

struct Simulation {
    seed: u64,
    sabotage: Option<Sabotage>,
    plan: Plan,
    random: Random,
    world: World,
    channel: Channel,
    log: Log,
    groups: Groups,
    processes: Vec<Process>,
    /// What people see.
    console: Projection,
    deployer: Deployer,
    /// What the deployment tool will report, and when.
    reports: Vec<(u32, EventBody)>,
    inbox: Vec<Waiting>,
    requests_taken: BTreeSet<u64>,
    acked: Vec<(Partition, Position, model::EventId)>,
    arrived: Vec<Arrived>,
    /// Ids of messages, and of the notices in them, that a receiver failed to deliver, and which receiver that was.
    failed: BTreeSet<String>,
    promises: Promises,
    story: Story,
    policy: PolicyLoad,
    policy_generation: u32,
    crashes_begun: usize,
    cut_offs_begun: usize,
    /// Waits for whoever decides to be about to append a command.
    before_command: Option<CutOff>,
    /// How slow the next one to decide is.
    successor_slow_seconds: u32,
    /// Moments at which nothing was left to do: what time alone leads to was brought to the log then.
    marks: Vec<Mark>,
    /// Seconds at whose end something was left to do, or nobody was there to do it.
    late: BTreeSet<u32>,
    tries: u32,
    figures: Figures,
}

impl Simulation {
    fn new(seed: u64, options: Options) -> Self {
        let plan = Plan::draw(seed);
        let policy = deeds::load(plan.policy_text(0), "start");
        let (layout, sabotage) = (&plan.layout, options.sabotage);
        let group = |partitions| Group::new(partitions, layout.session_seconds);
        let mut simulation = Self {
            seed,
            sabotage,
            random: Random::stream(seed, &["run"]),
            world: World::new(seed, &plan),
            channel: Channel::new(seed),
            log: Log::new(seed, layout.partitions, plan.faults.log),
            groups: Groups {
                analyze: group(layout.partitions),
                act: group(layout.partitions),
                arbiter: group(1),
                notify: group(1),
            },
            processes: layout.processes.iter().map(|roles| Process::new(*roles)).collect(),
            console: Projection::new(None),
            deployer: Deployer::new(sabotage != Some(Sabotage::TargetIgnoresIds)),
            reports: Vec::new(),
            inbox: Vec::new(),
            requests_taken: BTreeSet::new(),
            acked: Vec::new(),
            arrived: Vec::new(),
            failed: BTreeSet::new(),
            promises: Promises::default(),
            story: Story::new(options.tells_story),
            policy,
            policy_generation: 0,
            crashes_begun: 0,
            cut_offs_begun: 0,
            before_command: None,
            successor_slow_seconds: 0,
            marks: Vec::new(),
            late: BTreeSet::new(),
            tries: 0,
            figures: Figures::default(),
            plan,
        };
        for service in &simulation.plan.services {
            simulation.story.tell(0, || format!("** {}: {:?}", service.name, service.senders));
        }
        simulation.send("start", EventBody::PolicyLoad(Box::new(simulation.policy.clone())));
        simulation
    }

    /// Somebody has something for ingest.
    fn send(&mut self, source: &'static str, body: EventBody) {
        self.inbox.push(Waiting { source, of: None, body });
    }

    fn pass(&mut self, second: u32) {
        self.console.catch_up(&self.log);
        self.do_deeds(second);
        if let Some(body) = self.plan.hostile.and_then(|hostile| hostile.sends(second)) {
            self.send("hostile", body);
        }
        for emission in self.world.pass(second, &self.plan) {
            self.channel.send(second, emission, &self.plan);
        }
        for parcel in self.channel.arrivals(second) {
            self.take_parcel(parcel);
        }
        let (due, later): (Vec<_>, Vec<_>) = self.reports.drain(..).partition(|(at, _)| *at <= second);
        self.reports = later;
        due.into_iter().for_each(|(_, body)| self.send("deployer", body));
        self.tend_processes(second);
        self.take_in(second);
        self.work(second);
        self.save_snapshots(second);
        self.note_how_far(second);
        if second.is_multiple_of(60) {
            self.check_counts(second);
        }
    }

    /// Everybody works until nothing is left to do; then time alone has its turn.
    fn work(&mut self, second: u32) {
        loop {
            while self.work_a_round(second) {}
            self.note_mark(second);
            if !self.bring_clocks(second) {
                return;
            }
        }
    }

    /// Each process does a bit, in an order that nobody can rely on.
    fn work_a_round(&mut self, second: u32) -> bool {
        let count = self.processes.len();
        let first = self.random.between(0, count as u32 - 1) as usize;
        let mut has_worked = false;
        for number in (0..count).map(|at| (first + at) % count) {
            has_worked |= self.step(number, second);
        }
        has_worked
    }

    fn bring_clocks(&mut self, second: u32) -> bool {
        let awake = self.processes.iter_mut().filter(|process| process.is_awake(second));
        let seats = awake.filter_map(|process| process.running.as_mut()?.seat.as_mut());
        // Every one of them, not the first.
        seats.map(|seat| seat.bring_clock(moment(second))).fold(false, |any, brought| any | brought)
    }

    fn note_mark(&mut self, second: u32) {
        if self.is_done(second) {
            self.marks.push(Mark { at: moment(second), counted: self.promises.proposals_counted() });
        }
    }

    /// Whether what came in was judged and answered, and somebody is there to take in what comes.
    fn note_how_far(&mut self, second: u32) {
        let mut awake = self.processes.iter().filter(|process| process.is_awake(second));
        if !self.is_done(second) || !awake.any(|process| process.roles.ingest) {
            self.late.insert(second);
        }
    }

    fn is_done(&self, second: u32) -> bool {
        let awake = self.processes.iter().filter(|process| process.is_awake(second));
        let running: Vec<&Running> = awake.filter_map(|process| process.running.as_ref()).collect();
        let decides = |it: &&Running| it.seat.as_ref().is_some_and(|seat| seat.is_up_to_date(&self.log));
        let judges = |it: &Running, partition| {
            it.judges.get(&partition).is_some_and(|judge| judge.is_up_to_date(&self.log))
        };
        let mut partitions = self.log.partitions();
        running.iter().any(decides)
            && partitions.all(|partition| running.iter().any(|it| judges(it, partition)))
    }
}
