//! `rollback_triggers` and `alerts`: conditions with what follows from them.

use std::{ops::RangeInclusive, time::Duration};

use model::proposal::Action;

use crate::{
    GuardTest, Trigger,
    diagnostic::{Located, Place, nearest, suggest},
    expression::{Compared, NameUse, Unit, metric_name, parse_with_uses},
    yaml::{Entry, Node, Reader, ValueError, shifted},
};

use super::{
    Scope,
    condition::{self, Condition, Role},
    defaults::REQUESTS,
};

/// The window of a trigger that says only for how long.
const DEFAULT_WINDOW: Duration = Duration::from_secs(60);
/// Windows that can be computed: a slot is a second at least, and a day is kept.
const WINDOWS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
/// How long a condition may have to hold.
const HOLDS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);

const ACTIONS: [(&str, Action); 5] = [
    ("immediate_rollback", Action::ImmediateRollback),
    ("prepare_rollback", Action::PrepareRollback),
    ("alert_and_prepare_rollback", Action::AlertAndPrepareRollback),
    ("alert_team", Action::AlertTeam),
    ("hold", Action::Hold),
];

/// A trigger and where its name stands.
#[derive(Clone, Debug)]
pub(super) struct PlacedTrigger {
    pub(super) trigger: Trigger,
    pub(super) place: Place,
}

/// Reads both sections. `inherited` are the triggers that one of the same name overrides: what it does not say
/// comes from there.
pub(super) fn read(root: &mut Reader<'_, '_>, scope: Scope<'_>, inherited: &[Trigger]) -> Vec<PlacedTrigger> {
    let mut found: Vec<PlacedTrigger> = Vec::new();
    if let Some(reader) = root.mapping("rollback_triggers") {
        for entry in reader.entries() {
            found.extend(rollback_trigger(entry, scope, inherited));
        }
    }
    found.extend(root.list("alerts").iter().filter_map(|node| alert(node, scope, inherited)));
    report_twins(&found, scope);
    found
}

fn report_twins(found: &[PlacedTrigger], scope: Scope<'_>) {
    for (at, placed) in found.iter().enumerate() {
        let Some(first) = found[..at].iter().find(|first| first.trigger.name == placed.trigger.name) else {
            continue;
        };
        let message = format!("two triggers are called `{}`", placed.trigger.name);
        let hint = format!("the first is on line {}; give one of them another name", first.place.line);
        scope.diagnostics.error_hint(&placed.place, message, hint);
    }
}

/// What both forms have in common.
struct Common {
    window: Option<Duration>,
    hold: Option<Duration>,
    action: Option<Action>,
    min_requests: u64,
    test: GuardTest,
}

fn common(reader: &mut Reader<'_, '_>, scope: Scope<'_>, base: Option<&Trigger>) -> Common {
    let hold = match reader.one_of(&["duration", "for"]) {
        Some((key, _)) => reader.duration_within(key, HOLDS),
        None => None,
    };
    if let Some(short) = hold.filter(|hold| !hold.is_zero() && *hold < scope.defaults.settle) {
        let settle = crate::yaml::format_duration(scope.defaults.settle);
        let message = format!(
            "a duration of {} is shorter than `settle` ({settle}): it adds nothing",
            crate::yaml::format_duration(short)
        );
        let hint = format!("leave it away, or take {settle} or more");
        scope.diagnostics.warning(reader, message, hint);
    }
    let own_minimum = reader.integer_within("min_requests", REQUESTS);
    let tests = [("exact", GuardTest::Exact), ("none", GuardTest::None)];
    let has_action = reader.get("action").is_some();
    if !has_action && base.is_none() {
        let hint = format!("one of {}", ACTIONS.map(|(name, _)| name).join(", "));
        scope.diagnostics.error_hint(reader, "`action` is missing", hint);
    }
    Common {
        window: reader.duration_within("window", WINDOWS),
        hold,
        action: if has_action { action(reader) } else { base.map(|base| base.action) },
        min_requests: own_minimum
            .or(base.map(|base| base.min_requests))
            .unwrap_or(scope.defaults.min_requests),
        test: reader.choice("test", &tests).or(base.map(|base| base.test)).unwrap_or(GuardTest::Exact),
    }
}

fn action(reader: &mut Reader<'_, '_>) -> Option<Action> {
    reader.parsed("action", |text| {
        if let Some((_, action)) = ACTIONS.iter().find(|(name, _)| *name == text) {
            return Ok(*action);
        }
        let names = ACTIONS.map(|(name, _)| name);
        let hint = match text {
            "promote" => "only a stage that is passed promotes".to_owned(),
            "rollback" => {
                "did you mean `immediate_rollback`, or `prepare_rollback` to be asked first?".to_owned()
            }
            _ => suggest(text, &names),
        };
        Err(ValueError { message: format!("`{text}` is not an action"), hint: Some(hint) })
    })
}

// === alerts ===

fn alert(node: &Node, scope: Scope<'_>, inherited: &[Trigger]) -> Option<PlacedTrigger> {
    let mut reader = Reader::open(node, "an alert", scope.diagnostics)?;
    let name = reader.required_text("name").unwrap_or_default().to_owned();
    let place = reader.get("name").map_or_else(|| node.place(), Located::place);
    let base = inherited.iter().find(|trigger| trigger.name == name);
    let common = common(&mut reader, scope, base);
    let condition = match (reader.get("condition"), base) {
        (None, Some(base)) => Some(condition_of(base)),
        (None, None) => {
            let hint = "a condition looks like `error_rate > 1%`";
            scope.diagnostics.error_hint(node, "`condition` is missing", hint);
            None
        }
        (Some(node), _) => condition::read(scope, node, Role::Trigger, common.min_requests),
    };
    reader.finish();
    let trigger = Trigger {
        name,
        text: condition.as_ref()?.text.clone(),
        condition: condition?.expression,
        window: common.window.or(base.map(|base| base.window)).unwrap_or(DEFAULT_WINDOW),
        hold: common.hold.or(base.map(|base| base.hold)).unwrap_or_default(),
        min_requests: common.min_requests,
        test: common.test,
        action: common.action?,
    };
    Some(PlacedTrigger { trigger, place })
}

fn condition_of(trigger: &Trigger) -> Condition {
    Condition { expression: trigger.condition.clone(), text: trigger.text.clone() }
}

// === rollback_triggers ===

/// One entry is one trigger, save where several changes against the baseline are listed: each is one then.
fn rollback_trigger(entry: &Entry, scope: Scope<'_>, inherited: &[Trigger]) -> Vec<PlacedTrigger> {
    let name = entry.key.name.as_str();
    let Some(mut reader) = Reader::open(&entry.value, &format!("`{name}`"), scope.diagnostics) else {
        return Vec::new();
    };
    let base = inherited.iter().find(|trigger| trigger.name == name);
    let common = common(&mut reader, scope, base);
    let conditions = conditions(entry, &mut reader, scope, &common, base);
    let window = common.window.or(base.map(|base| base.window)).or(common.hold.map(|_| DEFAULT_WINDOW));
    if window.is_none() && reader.get("window").is_none() {
        let hint = "what the metric is computed over: window: 5m";
        scope.diagnostics.error_hint(&entry.key, format!("`{name}` has no `window`"), hint);
    }
    reader.finish();
    let (Some(window), Some(action)) = (window, common.action) else { return Vec::new() };
    let hold = common.hold.or(base.map(|base| base.hold)).unwrap_or_default();
    let is_one = conditions.len() == 1;
    let trigger = |(own_name, condition): (String, Condition)| PlacedTrigger {
        trigger: Trigger {
            name: if is_one { name.to_owned() } else { format!("{name}.{own_name}") },
            condition: condition.expression,
            text: condition.text,
            window,
            hold,
            min_requests: common.min_requests,
            test: common.test,
            action,
        },
        place: entry.key.place(),
    };
    conditions.into_iter().map(trigger).collect()
}

/// The entry's conditions with a name each; reports where it has none, or more than one kind.
fn conditions(
    entry: &Entry,
    reader: &mut Reader<'_, '_>,
    scope: Scope<'_>,
    common: &Common,
    base: Option<&Trigger>,
) -> Vec<(String, Condition)> {
    let name = entry.key.name.as_str();
    let changes = changes(reader);
    let given = reader.one_of(&["threshold", "condition"]);
    let percentile = reader.get("percentile");
    if let (Some((key, _)), Some((change, ..))) = (given, changes.first()) {
        let message = format!("`{key}` and `{}` exclude each other", change.key.name);
        scope.diagnostics.error_hint(&change.key, message, "make two triggers of them");
    }
    match given {
        Some(("threshold", threshold)) => {
            let condition = threshold_condition(entry, &threshold.value, percentile, scope, common);
            return condition.map(|condition| (name.to_owned(), condition)).into_iter().collect();
        }
        Some((_, given)) => {
            if let Some(percentile) = percentile {
                let hint = "write it into the condition: `response_time_p95 > 1s`";
                scope.diagnostics.error_hint(percentile, "`percentile` goes with `threshold`", hint);
            }
            let condition = condition::read(scope, &given.value, Role::Trigger, common.min_requests);
            return condition.map(|condition| (name.to_owned(), condition)).into_iter().collect();
        }
        None => {}
    }
    match (changes.is_empty(), base) {
        (false, _) => changes
            .into_iter()
            .filter_map(|(entry, metric, is_drop)| {
                let condition = change_condition(entry, metric, is_drop, scope, common)?;
                Some((entry.key.name.clone(), condition))
            })
            .collect(),
        (true, Some(base)) => vec![(name.to_owned(), condition_of(base))],
        (true, None) => {
            let hint = "give it threshold: 1%, METRIC_drop: 10%, METRIC_increase: 50%, or condition: \"…\"";
            scope.diagnostics.error_hint(&entry.key, format!("`{name}` has no limit"), hint);
            Vec::new()
        }
    }
}

/// `conversion_rate_drop: 10%`, `response_time_p95_increase: 50%`: entry, metric, whether it is a drop.
fn changes<'n>(reader: &mut Reader<'n, '_>) -> Vec<(&'n Entry, &'n str, bool)> {
    let found: Vec<(&'n Entry, &'n str, bool)> = reader
        .entries()
        .iter()
        .filter_map(|entry| {
            let name = entry.key.name.as_str();
            let drop = name.strip_suffix("_drop").map(|metric| (entry, metric, true));
            drop.or_else(|| name.strip_suffix("_increase").map(|metric| (entry, metric, false)))
        })
        .collect();
    for (entry, ..) in &found {
        reader.get(&entry.key.name);
    }
    found
}

fn change_condition(
    entry: &Entry,
    metric: &str,
    is_drop: bool,
    scope: Scope<'_>,
    common: &Common,
) -> Option<Condition> {
    let ratio = match entry.value.text().map(crate::yaml::parse_ratio) {
        Some(Ok(ratio)) if ratio > 0.0 && (ratio < 1.0 || !is_drop) => ratio,
        _ => {
            let message = format!("`{}` must be a ratio above 0", entry.key.name);
            let hint = if is_drop { "write it as 10%, below 100%" } else { "write it as 50%" };
            scope.diagnostics.error_hint(&entry.value, message, hint);
            return None;
        }
    };
    let (operator, factor) = if is_drop { ("<", 1.0 - ratio) } else { (">", 1.0 + ratio) };
    let text = format!("{metric} {operator} baseline * {}", rounded(factor));
    let at_key = |_| entry.key.place();
    condition::compile(scope, &text, &at_key, Role::Trigger, common.min_requests)
}

/// 1 - 0.7 is 0.30000000000000004, which nobody wrote.
fn rounded(factor: f64) -> f64 {
    (factor * 1e12).round() / 1e12
}

fn threshold_condition(
    entry: &Entry,
    threshold: &Node,
    percentile: Option<&Node>,
    scope: Scope<'_>,
    common: &Common,
) -> Option<Condition> {
    let name = entry.key.name.as_str();
    let Some(definition) = scope.metrics.get(name).or_else(|| scope.metrics.get(stem(name))) else {
        let known = scope.metrics.keys().map(String::as_str);
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("define it under `metrics`, or give `{name}` a `condition` instead"),
        };
        let message = format!("`{name}` is not a metric: its threshold could never be exceeded");
        scope.diagnostics.error_hint(&entry.key, message, hint);
        return None;
    };
    let quantile = match percentile {
        Some(node) => Some(quantile(node, scope)?),
        None => None,
    };
    if let (Some(node), false) = (percentile, condition::is_histogram(definition)) {
        let message = format!("`{name}` has no percentiles: it is not a histogram");
        scope.diagnostics.error_hint(node, message, "remove `percentile`");
        return None;
    }
    let metric = metric_name(name, quantile);
    let operator = if condition::is_less_worse(definition) { "<" } else { ">" };
    let limit = limit(threshold, scope)?;
    let text = format!("{metric} {operator} {limit}");
    let at_threshold = |_| threshold.place();
    condition::compile(scope, &text, &at_threshold, Role::Trigger, common.min_requests)
}

/// `response_time` of `response_time_p95`, which is a trigger's name too.
fn stem(name: &str) -> &str {
    let is_quantile = |digits: &str| digits.len() >= 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    name.rsplit_once("_p").filter(|(_, digits)| is_quantile(digits)).map_or(name, |(stem, _)| stem)
}

/// `percentile: 95` as 0.95.
fn quantile(node: &Node, scope: Scope<'_>) -> Option<f64> {
    let text = node.text().unwrap_or_default();
    let quantile = shifted(text, -2).filter(|quantile| *quantile >= 0.01 && *quantile < 1.0);
    let survives = |quantile: &f64| {
        let name = format!("{} > 1", metric_name("m", Some(*quantile)));
        let uses = parse_with_uses(&name).map(|parsed| parsed.uses).unwrap_or_default();
        uses.first().is_some_and(|name_use| name_use.quantile == Some(*quantile))
    };
    let quantile = quantile.filter(survives);
    if quantile.is_none() {
        let hint = "write it as 95 or 99.9; two decimal places at most";
        scope.diagnostics.error_hint(node, format!("`percentile`: `{text}` is not a percentile"), hint);
    }
    quantile
}

/// The threshold in the form in which a condition has it: `1%`, `1s`, `300ms`, `5`.
fn limit(node: &Node, scope: Scope<'_>) -> Option<String> {
    let text = node.text().unwrap_or_default().trim();
    let uses = parse_with_uses(&format!("m > {text}")).map(|parsed| parsed.uses).unwrap_or_default();
    match uses.as_slice() {
        [NameUse { compared: Compared::WithNumber { value, unit: Unit::Time, .. }, .. }] => {
            Some(time_text(*value, text))
        }
        [NameUse { compared: Compared::WithNumber { .. }, .. }] => Some(text.to_owned()),
        _ => {
            let message = format!("`threshold`: `{text}` is not a number with a unit");
            scope.diagnostics.error_hint(node, message, "write it as 1%, 0.01, 300ms or 1s");
            None
        }
    }
}

/// `1000ms` as a person would have written it: `1s`.
fn time_text(seconds: f64, written: &str) -> String {
    for (unit, length) in [("h", 3600.0), ("m", 60.0), ("s", 1.0)] {
        let number = seconds / length;
        if number >= 1.0 && number.fract() == 0.0 {
            return format!("{number}{unit}");
        }
    }
    written.to_owned()
}

/// A ratio as the number before a percent sign.
pub(crate) fn percent(ratio: f64) -> f64 {
    rounded(ratio * 100.0)
}
