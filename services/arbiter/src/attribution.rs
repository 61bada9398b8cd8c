//! Whether a release is the cause of what it shows (DESIGN, invariant 6).
//!
//! The analyzer has compared it with what ran before it or runs beside it. A release that is proven worse than the old
//! version beside it needs no more: what a shared cause does to one of the two it does to the other. Any other may be
//! excused by services without a release that rose at the same time, by as much, with enough traffic; and among
//! several releases that broke at the same time none acts unless it stands out.

use model::{BaselineKind, Breach, Comparison, Rise, Timestamp};
use policy::{Attribution, Policy};

use crate::{
    Arbiter,
    exceedances::{Question, Risen},
    judgement::{Judgement, Level},
    releases::Record,
    text,
};

impl Arbiter {
    pub(crate) fn cap_by_attribution(
        &self,
        judgement: &mut Judgement,
        now: Timestamp,
        breach: &Breach,
        record: &Record,
        rules: &Attribution,
    ) {
        cap_by_baseline(judgement, self.policy.as_ref(), breach);
        if is_proven_side_by_side(breach) {
            return;
        }
        self.cap_by_neighbours(judgement, now, breach, record, rules);
        self.cap_by_rivals(judgement, breach, record, rules);
    }

    fn cap_by_neighbours(
        &self,
        judgement: &mut Judgement,
        now: Timestamp,
        breach: &Breach,
        record: &Record,
        rules: &Attribution,
    ) {
        let release = &record.release;
        let question = Question {
            environment: &release.key.environment,
            trigger: &breach.reason.trigger,
            service: &release.key.service,
            not_before: release.started_at - breach.reason.window,
            rise: breach.blame.rise.as_ref(),
            now,
        };
        let others = self.exceedances.excuses(&question, rules);
        let (counted, uncounted): (Vec<Risen<'_>>, Vec<Risen<'_>>) =
            others.into_iter().partition(|other| other.rise.is_some());
        if !counted.is_empty() {
            let texts: Vec<String> = counted.iter().map(|other| named(other.service, other.rise)).collect();
            let texts = text::list(texts.iter().map(String::as_str));
            let why =
                format!("not_attributable: at the same time it rose without a release under watch: {texts}");
            judgement.cap(Level::Prepare, why);
        }
        if !uncounted.is_empty() {
            let names = text::list(uncounted.iter().map(|other| other.service));
            let why = format!(
                "not_attributable: the same limit is exceeded without a release under watch by {names}"
            );
            judgement.cap(Level::Prepare, why);
        }
    }

    /// Releases of other services that broke a limit at the same time, and are worse than their own baselines too.
    fn cap_by_rivals(
        &self,
        judgement: &mut Judgement,
        breach: &Breach,
        record: &Record,
        rules: &Attribution,
    ) {
        let Some(rise) = &breach.blame.rise else { return };
        let environment = &record.release.key.environment;
        let others = self
            .releases
            .in_flight(environment)
            .filter(|other| other.release.key.service != record.release.key.service)
            .filter(|other| rules.neighbours.include(&other.release.key.service));
        let rival = |other: &'_ Record| {
            let is_one = |it: &&Breach| {
                if breach.blame.is_unversioned { is_worse(it) } else { is_blamed(it) }
            };
            let mut blamed = other.broken.values().filter(is_one);
            blamed
                .find(|it| it.blame.rise.as_ref().is_some_and(|own| is_comparable(own, rise, rules)))
                .cloned()
        };
        let mut candidates: Vec<(String, Breach)> =
            others.filter_map(|other| Some((text::name_of(&other.release), rival(other)?))).collect();
        if candidates.is_empty() {
            return;
        }
        candidates.push((text::name_of(&record.release), breach.clone()));
        candidates.sort_by(|(_, one), (_, other)| standing(one).total_cmp(&standing(other)));
        let texts: Vec<String> =
            candidates.iter().map(|(name, breach)| named(name, breach.blame.rise.as_ref())).collect();
        let texts = text::list(texts.iter().map(String::as_str));
        let why = format!(
            "not_attributable: more than one release broke a limit at the same time, and this one does not stand \
             out; the likeliest first: {texts}"
        );
        judgement.cap(Level::Prepare, why);
    }
}

/// Two rises that one cause may explain: they began together, and `other` is not small beside `own`.
pub(crate) fn is_comparable(other: &Rise, own: &Rise, rules: &Attribution) -> bool {
    let apart = other.began_at.since(own.began_at).max(own.began_at.since(other.began_at));
    apart <= rules.within && other.size() > 0.0 && other.size() >= own.size() * rules.min_rise
}

/// Whether the comparisons of the analyzer let the release take the blame.
fn is_blamed(breach: &Breach) -> bool {
    is_worse(breach) && !breach.blame.is_unversioned
}

/// Whether a release, or a service whose telemetry does not name it, is worse than its baseline.
fn is_worse(breach: &Breach) -> bool {
    breach.action.is_rollback() && breach.blame.before.is_none() && breach.blame.beside.is_none()
}

pub(crate) fn is_proven_side_by_side(breach: &Breach) -> bool {
    let is_beside = |it: &Comparison| it.is_worse() && matches!(it.baseline, BaselineKind::Beside { .. });
    is_blamed(breach) && breach.reason.evidence.iter().filter_map(|it| it.comparison.as_ref()).any(is_beside)
}

/// The smaller, the likelier: proven side by side comes first, then the smaller probability.
fn standing(breach: &Breach) -> f64 {
    let compared = breach.reason.evidence.iter().find_map(|it| it.comparison.as_ref());
    let probability = compared.map_or(1.0, |it| it.probability);
    if is_proven_side_by_side(breach) { probability - 2.0 } else { probability }
}

fn cap_by_baseline(judgement: &mut Judgement, policy: Option<&Policy>, breach: &Breach) {
    let evidence = breach.reason.evidence.first();
    let condition = breach.reason.condition.as_str();
    let shown = |value: f64| {
        evidence.map_or_else(|| value.to_string(), |it| text::value(policy, it, condition, value))
    };
    let compared = evidence.and_then(|it| it.comparison.as_ref()).filter(|it| !it.is_worse());
    let numbers = compared.map(|it| format!(": {}", text::compared(it))).unwrap_or_default();
    if let Some(value) = breach.blame.before {
        let what = if compared.is_some() { "it is not proven worse than" } else { "as bad as" };
        let why = format!(
            "not_attributable: {what} before the deployment, when it was {} ({condition}){numbers}",
            shown(value)
        );
        judgement.cap(Level::Prepare, why);
    }
    if let Some(value) = breach.blame.beside {
        let of_baseline = evidence.and_then(|evidence| evidence.baseline.as_ref()).map(|it| &it.kind);
        let beside = match compared.map(|it| &it.baseline).or(of_baseline) {
            Some(BaselineKind::Beside { version }) => version.as_str(),
            Some(BaselineKind::Before) | None => "the version",
        };
        let what = if compared.is_some() { "it is not proven worse than" } else { "as bad as" };
        let why = format!(
            "not_attributable: {what} {beside} beside it, which is at {} now ({condition}){numbers}",
            shown(value)
        );
        judgement.cap(Level::Prepare, why);
    }
}

/// `cart from 0.1 % to 22 % bad requests (88 of 400)`.
fn named(name: &str, rise: Option<&Rise>) -> String {
    let Some(rise) = rise else { return name.to_owned() };
    let (from, to, since) = (text::share(rise.before), text::share(rise.since), rise.since);
    format!("{name} from {from} to {to} bad requests ({} of {})", since.bad, since.total)
}
