//! The body of an event.

use model::{DeploymentEvent, EventBody};

use super::{Noun, read_all, write_all};
use crate::{
    DecodeError,
    v1::{self, event_record::Body},
};

impl Noun for EventBody {
    type Wire = Body;

    fn to_wire(&self) -> Body {
        match self {
            Self::Telemetry(batch) => Body::Batch(batch.to_wire()),
            Self::Requests(requests) => Body::Requests(v1::Requests { requests: write_all(requests) }),
            Self::Deployment(event) => Body::Deployment(event.to_wire()),
            Self::Alerts(alerts) => Body::Alerts(v1::Alerts { alerts: write_all(alerts) }),
            Self::Outcome(outcome) => Body::Outcome(outcome.to_wire()),
            Self::Delivery(delivery) => Body::Delivery(delivery.to_wire()),
            Self::Verb(verb) => Body::Verb(verb.to_wire()),
            Self::PolicyLoad(load) => Body::PolicyLoad(load.to_wire()),
            Self::Tick => Body::Tick(v1::Tick {}),
        }
    }

    fn from_wire(wire: Body) -> Result<Self, DecodeError> {
        Ok(match wire {
            // A sender's body is an envelope's business; only `crate::wire` can make an event of it.
            Body::Telemetry(_) => return Err(DecodeError::OutOfRange { field: "EventRecord.body" }),
            Body::Batch(batch) => Self::Telemetry(Noun::from_wire(batch)?),
            Body::Requests(wire) => Self::Requests(read_all(wire.requests)?),
            Body::Deployment(event) => Self::Deployment(Box::new(DeploymentEvent::from_wire(event)?)),
            Body::Alerts(wire) => Self::Alerts(read_all(wire.alerts)?),
            Body::Outcome(outcome) => Self::Outcome(Box::new(Noun::from_wire(outcome)?)),
            Body::Delivery(delivery) => Self::Delivery(Box::new(Noun::from_wire(delivery)?)),
            Body::Verb(verb) => Self::Verb(Box::new(Noun::from_wire(verb)?)),
            Body::PolicyLoad(load) => Self::PolicyLoad(Box::new(Noun::from_wire(load)?)),
            Body::Tick(v1::Tick {}) => Self::Tick,
        })
    }
}
