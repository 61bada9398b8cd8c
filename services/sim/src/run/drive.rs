//! What a process does when it has its turn.

use model::{DecisionRecord, Partition};

use super::{Died, Simulation};
use crate::{Sabotage, faults::CrashPoint, log::Written, process::Running, world::moment};

/// Records taken in one turn, at most.
const TURN_MAX: u32 = 12;

impl Simulation {
    /// A turn of one process; whether it did anything.
    pub(super) fn step(&mut self, number: usize, second: u32) -> bool {
        if !self.processes[number].is_awake(second) {
            return false;
        }
        let Some(mut running) = self.processes[number].running.take() else { return false };
        match self.turn(number, &mut running, second) {
            Ok(has_worked) => {
                self.processes[number].running = Some(running);
                has_worked
            }
            Err(Died) => {
                if self.processes[number].armed.is_some_and(|crash| crash.is_stop) {
                    self.save_all(&mut running);
                }
                self.die(number, second);
                true
            }
        }
    }

    fn turn(&mut self, number: usize, running: &mut Running, second: u32) -> Result<bool, Died> {
        self.dies_at(number, CrashPoint::Idle)?;
        running.known.catch_up(&self.log);
        let mut has_worked = false;
        if self.processes[number].slow_until <= second {
            has_worked |= self.judge(number, running, second)?;
            has_worked |= self.decide(number, running, second)?;
        }
        has_worked |= self.act(number, running, second)?;
        has_worked |= self.tell(number, running, second)?;
        Ok(has_worked)
    }

    fn judge(&mut self, number: usize, running: &mut Running, second: u32) -> Result<bool, Died> {
        let mut has_worked = false;
        let partitions: Vec<Partition> = running.judges.keys().copied().collect();
        for partition in partitions {
            for _ in 0..self.random.between(1, TURN_MAX) {
                let Some(judge) = running.judges.get_mut(&partition) else { break };
                if let Some(record) = judge.unwritten().cloned() {
                    if !self.write(number, &record, second)? {
                        has_worked = true;
                        break;
                    }
                    judge.note_written();
                } else if !judge.take_next(&self.log) {
                    break;
                }
                has_worked = true;
            }
        }
        Ok(has_worked)
    }

    fn decide(&mut self, number: usize, running: &mut Running, second: u32) -> Result<bool, Died> {
        let mut has_worked = false;
        for _ in 0..self.random.between(1, TURN_MAX) {
            let Some(seat) = running.seat.as_mut() else { break };
            if self.processes[number].slow_until > second {
                break;
            }
            if let Some(record) = seat.unwritten().cloned() {
                if self.is_cut_off_before(number, &record, second) {
                    return Ok(true);
                }
                if self.sabotage == Some(Sabotage::ActsBeforeAppend)
                    && let Some(act) = running.act.as_mut()
                {
                    act.take_record(&record, None, second);
                    self.execute(number, running, second)?;
                }
                if !self.write(number, &record, second)? {
                    return Ok(true);
                }
                if let Some(seat) = running.seat.as_mut() {
                    seat.note_written();
                }
                self.slow_down_after(number, &record, second);
            } else if !seat.read_next(&self.log) {
                break;
            }
            has_worked = true;
        }
        Ok(has_worked)
    }

    /// Appends a record; `false`: to be tried again.
    fn write(&mut self, number: usize, record: &DecisionRecord, second: u32) -> Result<bool, Died> {
        let is_empty = record.decisions.is_empty();
        if !is_empty {
            self.dies_at(number, CrashPoint::BeforeAppend)?;
        }
        let written = self.log.append_decision(record);
        if written != Written::Failed {
            self.promises.note_writer(number, record, second);
            self.look_at_decisions(second);
        }
        if !is_empty && written != Written::Failed {
            self.dies_at(number, CrashPoint::AfterAppend)?;
        }
        Ok(matches!(written, Written::Acked(_)))
    }

    fn look_at_decisions(&mut self, second: u32) {
        while let Some((at, record)) = self.log.decisions.get(self.promises.decisions_seen()) {
            if self.promises.note_decision(at, record, &self.log, moment(second), &self.plan) {
                self.story.tell_record(i64::from(second), at, record);
            } else {
                self.figures.void_records += 1;
                self.story.tell(i64::from(second), || format!("void: {:?} at {}", record.origin, at.0));
            }
        }
    }

    fn act(&mut self, number: usize, running: &mut Running, second: u32) -> Result<bool, Died> {
        let Some(act) = running.act.as_mut() else { return Ok(false) };
        let mut has_worked = false;
        for _ in 0..self.random.between(1, TURN_MAX) {
            let lag = self.random.between(0, 2);
            if !act.read_next(&self.log, &running.known, second + lag) {
                break;
            }
            has_worked = true;
        }
        has_worked |= self.execute(number, running, second)?;
        Ok(has_worked | self.append_what_came_of_it(running, second))
    }

    fn tell(&mut self, number: usize, running: &mut Running, second: u32) -> Result<bool, Died> {
        let Some(telling) = running.telling.as_mut() else { return Ok(false) };
        let mut has_worked = false;
        while telling.read_next(&self.log) {
            has_worked = true;
        }
        has_worked |= self.bring_clock(number, running, second)?;
        has_worked |= self.post(number, running, second)?;
        Ok(has_worked | self.append_what_came_of_it(running, second))
    }

    /// What is told by time is told once the time stands on the log.
    fn bring_clock(&mut self, number: usize, running: &mut Running, second: u32) -> Result<bool, Died> {
        let now = moment(second);
        let Some(telling) = running.telling.as_mut() else { return Ok(false) };
        let Some((due, clock)) = telling.due_clock(now) else { return Ok(false) };
        if self.write(number, &clock, second)? {
            telling.note_clock(due, now);
        }
        Ok(true)
    }

    /// Outcomes and deliveries go back as events; whether there were any that could be written or be tried again
    /// at once.
    fn append_what_came_of_it(&mut self, running: &mut Running, second: u32) -> bool {
        let mut has_worked = false;
        for (source, body) in std::mem::take(&mut running.to_append) {
            if self.append_own(source, &body, second) {
                has_worked = true;
            } else {
                running.to_append.push((source, body));
            }
        }
        has_worked
    }
}
