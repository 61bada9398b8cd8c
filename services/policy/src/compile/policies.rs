//! `policies`: what holds for some services only.

use std::{collections::BTreeMap, time::Duration};

use model::Owner;

use crate::{
    Defaults, MetricDefinition, Mode, Rules, Safety, Shape, Trigger, Unversioned,
    diagnostic::Located,
    yaml::{Node, Reader},
};

use super::{
    Scope,
    defaults::{REQUESTS, read_attribution, read_watch},
    inert::not_acting,
    matching, metrics, stages, targets, triggers,
};

const MODES: [(&str, Mode); 4] =
    [("observe", Mode::Observe), ("advise", Mode::Advise), ("approve", Mode::Approve), ("auto", Mode::Auto)];

const UNVERSIONED: [(&str, Unversioned); 2] =
    [("prepare", Unversioned::Prepare), ("auto", Unversioned::Auto)];

/// `before` are the policies of the files before.
pub(super) fn read(
    root: &mut Reader<'_, '_>,
    scope: Scope<'_>,
    base: &[Trigger],
    before: &[Rules],
) -> Vec<Rules> {
    let all = before.iter().flat_map(|rules| &rules.metrics).chain(scope.metrics);
    let shape = |(name, it): (&String, &MetricDefinition)| Some((name.clone(), it.sources.first()?.shape()));
    let mut shapes = all.filter_map(shape).collect();
    root.list("policies").iter().filter_map(|node| policy(node, scope, base, &mut shapes)).collect()
}

fn policy(
    node: &Node,
    scope: Scope<'_>,
    base: &[Trigger],
    shapes: &mut BTreeMap<String, Shape>,
) -> Option<Rules> {
    let mut reader = Reader::open(node, "a policy", scope.diagnostics)?;
    let metrics = metrics::read_of_policy(&mut reader, shapes);
    let known = scope.metrics.clone().into_iter().chain(metrics.clone()).collect();
    let scope = Scope { metrics: &known, ..scope };
    let min_requests = reader.integer_within("min_requests", REQUESTS);
    let defaults = Defaults {
        min_requests: min_requests.unwrap_or(scope.defaults.min_requests),
        ..scope.defaults.clone()
    };
    let base = following(base, scope.defaults.min_requests, defaults.min_requests);
    let scope = Scope { defaults: &defaults, ..scope };
    let found = triggers::read(&mut reader, scope, &base);
    super::lint::contradictions(&found, scope.diagnostics);
    let day = Duration::from_secs(86_400);
    let rules = Rules {
        place: Some(node.place()),
        matching: matching::read(&mut reader),
        metrics,
        mode: reader.choice("mode", &MODES),
        unversioned: reader.choice("unversioned", &UNVERSIONED),
        owner: owner(&mut reader),
        triggers: found.into_iter().map(|placed| placed.trigger).collect(),
        stages: stages::read(&mut reader, scope),
        gates: stages::read_gates(&mut reader, scope),
        targets: targets::read(&mut reader),
        safety: safety(&mut reader),
        attribution: read_attribution(&mut reader, &scope.defaults.attribution),
        watch: watch(&mut reader, scope),
        warmup: reader.duration_within("warmup", Duration::ZERO..=day),
        min_requests,
    };
    if rules.matching.cluster.is_some() {
        let hint = "leave it away, and keep environments apart by cluster";
        let message = "a policy for a cluster is parsed but does not act yet: it holds for no service";
        scope.diagnostics.warning(node, message, hint);
    }
    if let (Some(Unversioned::Auto), Some(Mode::Observe | Mode::Advise | Mode::Approve), Some(node)) =
        (rules.unversioned, rules.mode, reader.get("unversioned"))
    {
        let hint = "leave one of them away";
        let message = "`unversioned: auto` has no effect beside a `mode` that sends nothing by itself";
        scope.diagnostics.warning(node, message, hint);
    }
    regression(&mut reader, scope);
    slo(&mut reader, scope);
    reader.finish();
    Some(rules)
}

/// Triggers that follow a default follow the policy's own.
fn following(base: &[Trigger], before: u64, now: u64) -> Vec<Trigger> {
    let follow = |trigger: &Trigger| {
        let min_requests = if trigger.min_requests == before { now } else { trigger.min_requests };
        Trigger { min_requests, ..trigger.clone() }
    };
    base.iter().map(follow).collect()
}

fn owner(reader: &mut Reader<'_, '_>) -> Option<Owner> {
    let mut reader = reader.mapping("owner")?;
    let mut take = |key| reader.text(key).map(str::to_owned);
    let (team, slack, email) = (take("team"), take("slack"), take("email"));
    let owner = Owner { team, slack, email, mention: take("mention") };
    reader.finish();
    Some(owner)
}

fn safety(reader: &mut Reader<'_, '_>) -> Option<Safety> {
    let mut reader = reader.mapping("safety")?;
    let usual = Safety::default();
    let week = Duration::from_secs(7 * 86_400);
    let approvals = reader.integer_within("approvals", 1..=10).and_then(|count| u32::try_from(count).ok());
    let safety = Safety {
        cooldown: reader.duration_within("cooldown", Duration::ZERO..=week).unwrap_or(usual.cooldown),
        approvals: approvals.unwrap_or(usual.approvals),
    };
    reader.finish();
    Some(safety)
}

fn watch(reader: &mut Reader<'_, '_>, scope: Scope<'_>) -> Option<Duration> {
    let watch = read_watch(reader);
    if let (Some(_), Some(node)) = (watch.max, reader.get("watch")) {
        let hint = "set it under `defaults`";
        scope.diagnostics.error_hint(&node.place(), "`watch.max` holds for all services", hint);
    }
    if let (Some(time), Some(node)) = (watch.time, reader.get("watch"))
        && time > scope.defaults.watch_max
    {
        let hint = "raise defaults.watch.max";
        scope.diagnostics.error_hint(&node.place(), "`watch` is longer than defaults.watch.max", hint);
    }
    watch.time
}

fn regression(reader: &mut Reader<'_, '_>, scope: Scope<'_>) {
    let Some(entry) = reader.entry("regression") else { return };
    not_acting(scope, &entry.key, "releases are judged by their triggers only");
    let Some(mut section) = reader.mapping("regression") else { return };
    section.ratio_within("alpha", 1e-9..=0.5);
    for node in section.list("metrics") {
        let Some(mut metric) = Reader::open(node, "an item of `metrics`", scope.diagnostics) else {
            continue;
        };
        metric.required_text("metric");
        metric.ratio_within("quantile", 0.01..=0.9999);
        metric.ratio_within("tolerance", 0.0..=10.0);
        metric.finish();
    }
    section.finish();
}

fn slo(reader: &mut Reader<'_, '_>, scope: Scope<'_>) {
    let Some(entry) = reader.entry("slo") else { return };
    not_acting(scope, &entry.key, "no burn rate is watched");
    let Some(mut section) = reader.mapping("slo") else { return };
    section.required("objective");
    section.ratio_within("objective", 0.5..=0.999_999);
    section.text("metric");
    section.duration("period");
    section.choice("burn_rates", &[("sre", ())]);
    section.finish();
}
