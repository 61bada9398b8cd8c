//! The storm guard, and what falls due.

use model::{
    CommandId, EventId, HaltId, ReleaseId, Timestamp,
    checkpoint::{GatherState, HeldBreach, StormState, Timer},
};

use crate::{
    DecodeError,
    conversion::{Noun, read, read_all, read_optional, required, write_all},
    v1::{self, storm_state, timer_record},
};

impl Noun for StormState {
    type Wire = v1::StormState;

    fn to_wire(&self) -> v1::StormState {
        let demand = |(at, service): &(Timestamp, String)| storm_state::Demand {
            at_ms: at.to_wire(),
            service: service.clone(),
        };
        v1::StormState {
            environment: self.environment.clone(),
            is_storm: self.is_storm,
            demands: self.demands.iter().map(demand).collect(),
            gather: self.gather.as_ref().map(Noun::to_wire),
        }
    }

    fn from_wire(wire: v1::StormState) -> Result<Self, DecodeError> {
        let demands = wire.demands.into_iter().map(|it| (Timestamp::from_millis(it.at_ms), it.service));
        Ok(Self {
            environment: wire.environment,
            is_storm: wire.is_storm,
            demands: demands.collect(),
            gather: read_optional(wire.gather)?,
        })
    }
}

impl Noun for GatherState {
    type Wire = storm_state::Gather;

    fn to_wire(&self) -> storm_state::Gather {
        storm_state::Gather {
            begun_ms: self.begun.to_wire(),
            services: self.services.iter().cloned().collect(),
            held: write_all(&self.held),
        }
    }

    fn from_wire(wire: storm_state::Gather) -> Result<Self, DecodeError> {
        Ok(Self {
            begun: Timestamp::from_millis(wire.begun_ms),
            services: wire.services.into_iter().collect(),
            held: read_all(wire.held)?,
        })
    }
}

impl Noun for HeldBreach {
    type Wire = storm_state::Held;

    fn to_wire(&self) -> storm_state::Held {
        storm_state::Held {
            breach: Some(self.breach.to_wire()),
            release_id: self.release.as_str().to_owned(),
            cause: self.cause.as_str().to_owned(),
        }
    }

    fn from_wire(wire: storm_state::Held) -> Result<Self, DecodeError> {
        Ok(Self {
            breach: read(wire.breach, "Held.breach")?,
            release: ReleaseId::from_text(wire.release_id),
            cause: EventId::from_text(wire.cause),
        })
    }
}

impl Noun for (Timer, Timestamp) {
    type Wire = v1::TimerRecord;

    fn to_wire(&self) -> v1::TimerRecord {
        use timer_record::Timer as Arm;
        let timer = match &self.0 {
            Timer::Command(id) => Arm::CommandId(id.as_str().to_owned()),
            Timer::Halt(id) => Arm::HaltId(id.as_str().to_owned()),
            Timer::Gather(environment) => Arm::GatherEnvironment(environment.clone()),
            Timer::Storm(environment) => Arm::StormEnvironment(environment.clone()),
        };
        v1::TimerRecord { at_ms: self.1.to_wire(), timer: Some(timer) }
    }

    fn from_wire(wire: v1::TimerRecord) -> Result<Self, DecodeError> {
        use timer_record::Timer as Arm;
        let timer = match required(wire.timer, "TimerRecord.timer")? {
            Arm::CommandId(id) => Timer::Command(CommandId::from_text(id)),
            Arm::HaltId(id) => Timer::Halt(HaltId::from_text(id)),
            Arm::GatherEnvironment(environment) => Timer::Gather(environment),
            Arm::StormEnvironment(environment) => Timer::Storm(environment),
        };
        Ok((timer, Timestamp::from_millis(wire.at_ms)))
    }
}
