//! Who has what, and who lives: starts, deaths, partitions that come and go.

use model::{CommandState, Decision, DecisionRecord, Origin, Partition};

use super::{Died, Simulation};
use crate::{
    Sabotage,
    faults::{Crash, CrashPoint, CutOff, CutOffVictim},
    group::Change,
    judge::Judge,
    notify::Telling,
    plan::BUSY_UNTIL,
    process::{Roles, Running},
    restore::restore,
    world::moment,
};

impl Simulation {
    /// Starts what is due to start, breaks what is due to break, and tells everybody what is theirs.
    pub(super) fn tend_processes(&mut self, second: u32) {
        for number in 0..self.processes.len() {
            let process = &mut self.processes[number];
            if !process.is_running() && process.down_until <= second {
                process.start(number, &self.log, self.sabotage);
            }
        }
        self.cut_off(second);
        self.slow_down(second);
        self.arm(second);
        for number in 0..self.processes.len() {
            self.hear(number, second);
        }
        let Self { groups, random, plan, .. } = self;
        let all = [&mut groups.analyze, &mut groups.act, &mut groups.arbiter, &mut groups.notify];
        let moves = plan.faults.rebalances.iter().filter(|at| **at == second).count();
        for group in all {
            (0..moves).for_each(|_| group.shuffle(random));
            group.settle(second);
        }
        for number in 0..self.processes.len() {
            self.tell_changes(number, second);
        }
    }

    fn hear(&mut self, number: usize, second: u32) {
        let process = &self.processes[number];
        if !process.is_heard(second) {
            return;
        }
        let Roles { analyze, act, notify, .. } = process.roles;
        if analyze {
            self.groups.analyze.hear(number, second);
            self.groups.arbiter.hear(number, second);
        }
        if act {
            self.groups.act.hear(number, second);
        }
        if notify {
            self.groups.notify.hear(number, second);
        }
    }

    fn tell_changes(&mut self, number: usize, second: u32) {
        let process = &mut self.processes[number];
        // One that does nothing hears nothing.
        if !process.is_heard(second) || !process.is_awake(second) {
            return;
        }
        let roles = process.roles;
        let Some(running) = process.running.as_ref() else { return };
        let home = |has: bool| if has { vec![Partition::HOME] } else { Vec::new() };
        let judged: Vec<Partition> = self.promises.judged_by(number);
        let acted = running.act.as_ref().map(|act| act.own()).unwrap_or_default();
        let seat = home(running.seat.as_ref().is_some_and(|seat| seat.is_active));
        let tells = home(running.telling.is_some());
        if roles.analyze {
            let changes = self.groups.analyze.changes(number, &judged);
            changes.into_iter().for_each(|change| self.change_judge(number, change, second));
            let changes = self.groups.arbiter.changes(number, &seat);
            changes.into_iter().for_each(|change| self.change_seat(number, change, second));
        }
        if roles.act {
            let changes = self.groups.act.changes(number, &acted);
            changes.into_iter().for_each(|change| self.change_act(number, change, second));
        }
        if roles.notify {
            let changes = self.groups.notify.changes(number, &tells);
            changes.into_iter().for_each(|change| self.change_telling(number, change));
        }
    }

    fn change_judge(&mut self, number: usize, change: Change, second: u32) {
        self.story.tell(i64::from(second), || format!("process {number} judges: {change:?}"));
        match change {
            Change::Assigned(partition) => {
                let judge = self.restored(partition);
                self.promises.note_judge(number, partition, true);
                let running = self.processes[number].running.as_mut();
                running.map(|running| running.judges.insert(partition, judge));
            }
            Change::Revoked(partition) => {
                self.figures.handovers += 1;
                self.promises.note_judge(number, partition, false);
                self.save_of(number, partition);
                if self.sabotage != Some(Sabotage::KeepsWhatItGaveBack)
                    && let Some(running) = self.processes[number].running.as_mut()
                {
                    running.judges.remove(&partition);
                }
            }
        }
    }

    fn change_seat(&mut self, number: usize, change: Change, second: u32) {
        self.story.tell(i64::from(second), || format!("process {number} decides: {change:?}"));
        let running = self.processes[number].running.as_mut();
        let Some(seat) = running.and_then(|running| running.seat.as_mut()) else { return };
        match change {
            Change::Assigned(_) => seat.take(moment(second)),
            Change::Revoked(_) => {
                self.figures.handovers += 1;
                seat.give_back();
            }
        }
    }

    fn change_act(&mut self, number: usize, change: Change, second: u32) {
        let Some(running) = self.processes[number].running.as_mut() else { return };
        let Some(act) = running.act.as_mut() else { return };
        match change {
            Change::Assigned(partition) => {
                // Whatever was decided before is known then, and what came of it.
                running.known.catch_up(&self.log);
                act.take(partition, &running.known, second);
            }
            Change::Revoked(partition) => act.give_back(partition),
        }
    }

    fn change_telling(&mut self, number: usize, change: Change) {
        let telling = match change {
            Change::Assigned(_) => Some(Telling::begin(&self.log)),
            Change::Revoked(_) => None,
        };
        if let Some(running) = self.processes[number].running.as_mut() {
            running.telling = telling;
        }
    }

    /// A judge from what is kept of the one before.
    fn restored(&mut self, partition: Partition) -> Judge {
        let snapshots = self.plan.faults.snapshots;
        let kept = self.log.snapshots.get(&partition).cloned();
        let mut kept = kept.filter(|_| !self.random.chance(snapshots.lost));
        if self.random.chance(snapshots.damaged)
            && let Some(bytes) = &mut kept
        {
            // Positions and times in front are the store's to keep whole, and it does.
            let at = self.random.between(40, bytes.len() as u32 - 1) as usize;
            bytes[at] ^= 1 << self.random.between(0, 7);
        }
        let restored = restore(&self.log, partition, kept.as_deref(), self.sabotage);
        self.figures.snapshots_used += u64::from(restored.is_from_snapshot);
        self.figures.restores_from_logs +=
            u64::from(!restored.is_from_snapshot && self.log.decisions.len() > 0);
        Judge::new(partition, restored, &self.log)
    }

    /// Snapshots that are due.
    pub(super) fn save_snapshots(&mut self, second: u32) {
        let Some(period) = self.plan.faults.snapshots.period_seconds else { return };
        for number in 0..self.processes.len() {
            if !self.processes[number].is_awake(second) {
                continue;
            }
            for partition in self.log.partitions() {
                if (second + partition.0 * 3).is_multiple_of(period) {
                    self.save_of(number, partition);
                }
            }
            if second.is_multiple_of(period) {
                self.save_checkpoint(number);
            }
        }
    }

    /// What is kept when a process stops.
    pub(super) fn save_all(&mut self, running: &mut Running) {
        for judge in running.judges.values_mut() {
            self.save(judge);
        }
    }

    fn save_of(&mut self, number: usize, partition: Partition) {
        let Some(mut running) = self.processes[number].running.take() else { return };
        if let Some(judge) = running.judges.get_mut(&partition) {
            self.save(judge);
        }
        self.processes[number].running = Some(running);
    }

    fn save_checkpoint(&mut self, number: usize) {
        let seat = self.processes[number].running.as_ref().and_then(|running| running.seat.as_ref());
        if let Some(seat) = seat.filter(|seat| seat.chair.is_deciding()) {
            self.log.checkpoint = Some(seat.chair.checkpoint());
            self.figures.checkpoints += 1;
        }
    }

    /// The newest counts, whoever stored it.
    fn save(&mut self, judge: &mut Judge) {
        if self.plan.faults.snapshots.period_seconds.is_none() {
            return;
        }
        let skips_unwritten = self.sabotage != Some(Sabotage::SnapshotsRunAhead);
        if let Some(bytes) = judge.snapshot(skips_unwritten) {
            self.log.snapshots.insert(judge.partition, bytes);
        }
    }
}

/// Death.
impl Simulation {
    fn cut_off(&mut self, second: u32) {
        let Some(cut_off) = self.plan.faults.cut_offs.get(self.cut_offs_begun).copied() else { return };
        if cut_off.from > second {
            return;
        }
        self.cut_offs_begun += 1;
        match cut_off.victim {
            CutOffVictim::Any(number) => {
                let victims = self.plan.layout.with(|roles| !roles.ingest);
                self.cut_off_now(victims[number as usize % victims.len()], cut_off, second);
            }
            CutOffVictim::Arbiter { .. } => self.before_command = Some(cut_off),
        }
    }

    fn cut_off_now(&mut self, victim: usize, cut_off: CutOff, second: u32) {
        self.story.tell(i64::from(second), || format!("xx process {victim} {cut_off:?}"));
        self.processes[victim].cut_off_until = second + cut_off.seconds;
        self.processes[victim].stalled_until = second + cut_off.stalled_seconds;
    }

    /// Whether the process is stopped right here, about to append `record`.
    pub(super) fn is_cut_off_before(&mut self, number: usize, record: &DecisionRecord, second: u32) -> bool {
        let Some(cut_off) = self.before_command.filter(|_| has_ready_command(record)) else { return false };
        self.before_command = None;
        if let CutOffVictim::Arbiter { successor_slow_seconds } = cut_off.victim {
            self.successor_slow_seconds = successor_slow_seconds;
        }
        self.cut_off_now(number, cut_off, second);
        true
    }

    /// Whoever has claimed may have much to do first.
    pub(super) fn slow_down_after(&mut self, number: usize, record: &DecisionRecord, second: u32) {
        if matches!(record.origin, Origin::Claim { .. }) {
            let seconds = std::mem::take(&mut self.successor_slow_seconds);
            self.processes[number].slow_until = second + seconds;
        }
    }

    fn slow_down(&mut self, second: u32) {
        let rate = self.plan.faults.slow;
        let is_busy = rate > 0.0 && second <= BUSY_UNTIL;
        for process in self.processes.iter_mut().filter(|process| is_busy && process.roles.analyze) {
            if self.random.chance(rate) {
                process.slow_until = second + self.random.between(1, 8);
            }
        }
    }

    /// The next crash waits in its process for the point at which it happens.
    fn arm(&mut self, second: u32) {
        let Some(crash) = self.plan.faults.crashes.get(self.crashes_begun).copied() else { return };
        if crash.from > second {
            return;
        }
        let victims = self.plan.layout.with(|roles| match crash.point {
            CrashPoint::Idle => true,
            CrashPoint::BeforeSync | CrashPoint::BeforeAck => roles.ingest,
            CrashPoint::BeforeAppend | CrashPoint::AfterAppend => roles.analyze,
            CrashPoint::AfterSend => roles.act || roles.notify,
        });
        let victim = victims[crash.victim as usize % victims.len()];
        let process = &mut self.processes[victim];
        if process.armed.is_none() {
            process.armed = Some(crash);
            self.crashes_begun += 1;
        }
    }

    pub(super) fn dies_at(&self, number: usize, point: CrashPoint) -> Result<(), Died> {
        let armed = self.processes[number].armed;
        if armed.is_some_and(|crash| crash.point == point) { Err(Died) } else { Ok(()) }
    }

    /// Everything in the process is gone; with the log in it, what was not durable as well.
    pub(super) fn die(&mut self, number: usize, second: u32) {
        let process = &mut self.processes[number];
        process.running = None;
        let Some(Crash { down_seconds, is_double, .. }) = process.armed.take() else { return };
        process.down_until = second + down_seconds;
        process.cut_off_until = 0;
        process.stalled_until = 0;
        self.figures.crashes += 1;
        self.story.tell(i64::from(second), || format!("xx process {number} dies for {down_seconds} s"));
        self.promises.note_death(number);
        if self.plan.layout.is_embedded {
            self.log.lose_what_is_not_durable();
        }
        self.promises.check_acked(second, &self.log, &self.acked);
        if is_double {
            // Starts and dies before it did anything: nothing of that may be left.
            let partition = Partition::HOME;
            drop(self.restored(partition));
        }
        if down_seconds == 0 {
            self.processes[number].start(number, &self.log, self.sabotage);
            self.tell_changes(number, second);
        }
    }
}

fn has_ready_command(record: &DecisionRecord) -> bool {
    let is_ready = |decision: &Decision| matches!(decision, Decision::Command(command) if command.state == CommandState::Ready);
    record.decisions.iter().any(is_ready)
}
