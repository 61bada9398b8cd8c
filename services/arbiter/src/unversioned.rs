//! A service whose telemetry carries no version: what it shows since a deployment is the release's only if nothing
//! else changed (DESIGN, invariant 6).

use model::{BaselineKind, Breach, Evidence};
use policy::{EffectivePolicy, Unversioned};

use crate::{
    Arbiter,
    judgement::{Judgement, Level},
    releases::Record,
    text,
};

impl Arbiter {
    pub(crate) fn cap_by_missing_version(
        &self,
        judgement: &mut Judgement,
        breach: &Breach,
        record: &Record,
        effective: &EffectivePolicy,
    ) {
        if !breach.blame.is_unversioned {
            return;
        }
        if breach.blame.names_others {
            let version = &record.release.version;
            let why =
                format!("the telemetry names other versions than {version}, so the whole service was judged");
            return judgement.cap(Level::Prepare, why);
        }
        match effective.unversioned {
            Unversioned::Prepare => {
                let why = "the telemetry carries no version, so the whole service was judged";
                judgement.cap(Level::Prepare, why);
            }
            Unversioned::Auto => self.expect_no_other_cause(judgement, breach, record),
        }
    }

    fn expect_no_other_cause(&self, judgement: &mut Judgement, breach: &Breach, record: &Record) {
        let is_before = |it: &Evidence| {
            let compared = it.comparison.as_ref().map(|it| &it.baseline);
            let baseline = compared.or(it.baseline.as_ref().map(|it| &it.kind));
            matches!(baseline, Some(BaselineKind::Before))
        };
        if !breach.reason.evidence.iter().any(is_before) {
            let why = "the telemetry carries no version, and nothing from before the deployment is there to compare with";
            judgement.cap(Level::Prepare, why);
        }
        let others: Vec<String> =
            self.in_flight_beside(record, breach).map(|it| text::name_of(&it.release)).collect();
        if !others.is_empty() {
            let others = text::list(others.iter().map(String::as_str));
            let why = format!("the telemetry carries no version, and it may as well be {others}");
            judgement.cap(Level::Prepare, why);
        }
    }

    /// Other releases of the service that are under way, or went out within a window before this one: what they did
    /// is in the same requests.
    fn in_flight_beside<'a>(
        &'a self,
        record: &'a Record,
        breach: &Breach,
    ) -> impl Iterator<Item = &'a Record> {
        let not_before = record.release.started_at - breach.reason.window;
        self.releases.of_service(&record.release.key).filter(move |other| {
            let is_other = other.release.id != record.release.id;
            is_other && (!other.release.state.is_final() || other.release.started_at > not_before)
        })
    }
}
