//! Reasons and the evidence in them.

use model::{
    BaselineKind, BaselineValue, Comparison, Counts, ErrorBound, EventId, Evidence, Position, Reason, Rise,
    Timestamp, reason::Test,
};

use super::{Noun, WireEnum as _, read, read_all, read_optional, required, wire_enum, write_all};
use crate::{
    DecodeError,
    v1::{self, baseline::Kind},
};

wire_enum!(ErrorBound, v1::ErrorBound { Exact, Bucket });

fn write_kind(kind: &BaselineKind) -> Kind {
    match kind {
        BaselineKind::Beside { version } => Kind::Beside(v1::baseline::Beside { version: version.clone() }),
        BaselineKind::Before => Kind::Before(v1::baseline::Before {}),
    }
}

fn read_kind(wire: Option<Kind>) -> Result<BaselineKind, DecodeError> {
    Ok(match required(wire, "Baseline.kind")? {
        Kind::Beside(beside) => BaselineKind::Beside { version: beside.version },
        Kind::Before(v1::baseline::Before {}) => BaselineKind::Before,
    })
}

impl Noun for BaselineValue {
    type Wire = v1::Baseline;

    fn to_wire(&self) -> v1::Baseline {
        v1::Baseline { kind: Some(write_kind(&self.kind)), value: Some(self.value), requests: self.requests }
    }

    fn from_wire(wire: v1::Baseline) -> Result<Self, DecodeError> {
        let kind = read_kind(wire.kind)?;
        Ok(Self { kind, value: required(wire.value, "Baseline.value")?, requests: wire.requests })
    }
}

impl Noun for Counts {
    type Wire = v1::Counts;

    fn to_wire(&self) -> v1::Counts {
        v1::Counts { bad: self.bad, total: self.total }
    }

    fn from_wire(wire: v1::Counts) -> Result<Self, DecodeError> {
        Ok(Self { bad: wire.bad, total: wire.total })
    }
}

impl Noun for Comparison {
    type Wire = v1::Comparison;

    fn to_wire(&self) -> v1::Comparison {
        let baseline = v1::Baseline { kind: Some(write_kind(&self.baseline)), ..v1::Baseline::default() };
        v1::Comparison {
            baseline: Some(baseline),
            release: Some(self.release.to_wire()),
            before: Some(self.before.to_wire()),
            margin: Some(self.margin),
            level: Some(self.level),
            probability: Some(self.probability),
        }
    }

    fn from_wire(wire: v1::Comparison) -> Result<Self, DecodeError> {
        Ok(Self {
            baseline: read_kind(required(wire.baseline, "Comparison.baseline")?.kind)?,
            release: read(wire.release, "Comparison.release")?,
            before: read(wire.before, "Comparison.before")?,
            margin: required(wire.margin, "Comparison.margin")?,
            level: required(wire.level, "Comparison.level")?,
            probability: required(wire.probability, "Comparison.probability")?,
        })
    }
}

impl Noun for Rise {
    type Wire = v1::Rise;

    fn to_wire(&self) -> v1::Rise {
        v1::Rise {
            began_at_ms: self.began_at.to_wire(),
            until_ms: self.until.to_wire(),
            before: Some(self.before.to_wire()),
            since: Some(self.since.to_wire()),
        }
    }

    fn from_wire(wire: v1::Rise) -> Result<Self, DecodeError> {
        Ok(Self {
            began_at: Timestamp::from_millis(wire.began_at_ms),
            until: Timestamp::from_millis(wire.until_ms),
            before: read(wire.before, "Rise.before")?,
            since: read(wire.since, "Rise.since")?,
        })
    }
}

fn write_test(test: Test) -> Option<v1::ExactTest> {
    match test {
        Test::None => None,
        Test::Exact { level, tail_probability } => {
            Some(v1::ExactTest { level: Some(level), tail_probability: Some(tail_probability) })
        }
    }
}

fn read_test(wire: Option<v1::ExactTest>) -> Result<Test, DecodeError> {
    let Some(exact) = wire else { return Ok(Test::None) };
    Ok(Test::Exact {
        level: required(exact.level, "ExactTest.level")?,
        tail_probability: required(exact.tail_probability, "ExactTest.tail_probability")?,
    })
}

impl Noun for Evidence {
    type Wire = v1::Evidence;

    fn to_wire(&self) -> v1::Evidence {
        v1::Evidence {
            metric: self.metric.clone(),
            value: Some(self.value),
            limit: Some(self.limit),
            requests: self.requests,
            errors: self.errors,
            coverage: Some(self.coverage),
            baseline: self.baseline.as_ref().map(Noun::to_wire),
            exact_test: write_test(self.test),
            error_bound: self.error_bound.to_wire(),
            comparison: self.comparison.as_ref().map(Noun::to_wire),
        }
    }

    fn from_wire(wire: v1::Evidence) -> Result<Self, DecodeError> {
        Ok(Self {
            metric: wire.metric,
            value: required(wire.value, "Evidence.value")?,
            limit: required(wire.limit, "Evidence.limit")?,
            requests: wire.requests,
            errors: wire.errors,
            coverage: required(wire.coverage, "Evidence.coverage")?,
            baseline: read_optional(wire.baseline)?,
            test: read_test(wire.exact_test)?,
            error_bound: ErrorBound::from_wire(wire.error_bound, "Evidence.error_bound")?,
            comparison: read_optional(wire.comparison)?,
        })
    }
}

impl Noun for Reason {
    type Wire = v1::Reason;

    fn to_wire(&self) -> v1::Reason {
        v1::Reason {
            trigger: self.trigger.clone(),
            condition: self.condition.clone(),
            key: Some(self.key.to_wire()),
            cluster: self.cluster.clone(),
            version: self.version.clone(),
            window: Some(self.window.to_wire()),
            hold: Some(self.hold.to_wire()),
            evidence: write_all(&self.evidence),
            evidence_at_ms: self.evidence_at.to_wire(),
            cause: self.cause.as_str().to_owned(),
            position: self.position.0,
        }
    }

    fn from_wire(wire: v1::Reason) -> Result<Self, DecodeError> {
        Ok(Self {
            trigger: wire.trigger,
            condition: wire.condition,
            key: read(wire.key, "Reason.key")?,
            cluster: wire.cluster,
            version: wire.version,
            window: read(wire.window, "Reason.window")?,
            hold: read(wire.hold, "Reason.hold")?,
            evidence: read_all(wire.evidence)?,
            evidence_at: Timestamp::from_millis(wire.evidence_at_ms),
            cause: EventId::from_text(wire.cause),
            position: Position(wire.position),
        })
    }
}
