//! `route`, `inhibit_rules`, `time_intervals`: Alertmanager's keys with their meaning.

use std::{collections::BTreeMap, time::Duration};

use policy::{
    Diagnostics,
    diagnostic::Located,
    yaml::{Node, Reader},
};
use router::{
    DayOfMonthRange, GroupBy, InhibitRule, Location, Matcher, MonthRange, Route, TimeInterval, TimeRange,
    TimeSpec, WeekdayRange, YearRange, parse_matchers,
};

use super::{files::Files, receivers};

/// Reads routing and receivers; from `alertmanager_config` where that is given. Where the policy `is_refused`, it has
/// said already what is wrong with the time intervals, which are its own too.
pub(super) fn read(
    top: &mut Reader<'_, '_>,
    files: &mut Files,
    is_refused: bool,
) -> Option<(router::Config, ::receivers::Config)> {
    let diagnostics = top.diagnostics();
    let Some(node) = top.get("alertmanager_config") else {
        return read_sections(top, files, true, is_refused);
    };
    for key in ["route", "receivers", "inhibit_rules"] {
        if let Some(entry) = top.entry(key) {
            let hint = "keep one of them";
            diagnostics.error_hint(
                &entry.key,
                format!("`{key}` and `alertmanager_config` exclude each other"),
                hint,
            );
        }
    }
    let path = files.resolve(node.text()?);
    let text = match files.text(&path) {
        Ok(text) => text,
        Err(reason) => {
            diagnostics.error(node, reason);
            return None;
        }
    };
    let other = super::parse(&path.display().to_string(), &text, diagnostics)?;
    let mut reader = Reader::open(&other, "alertmanager.yml", diagnostics)?;
    // Alertmanager does not tell Slack and mail that a thing is over unless it is asked to.
    let read = files.on_behalf_of(&path, |files| read_sections(&mut reader, files, false, false));
    reader.finish();
    read
}

fn read_sections(
    top: &mut Reader<'_, '_>,
    files: &mut Files,
    send_resolved: bool,
    are_intervals_reported: bool,
) -> Option<(router::Config, ::receivers::Config)> {
    let diagnostics = top.diagnostics();
    let (plans, receivers) = receivers::read(top, files, send_resolved);
    let silent = Diagnostics::default();
    let intervals = read_intervals(top, if are_intervals_reported { &silent } else { diagnostics });
    let inhibit_rules =
        top.list("inhibit_rules").iter().filter_map(|node| read_inhibit_rule(node, diagnostics)).collect();
    if let Some(node) = top.get("templates").filter(|node| node.items().is_none_or(|items| !items.is_empty()))
    {
        let hint = "messages have Ripcord's own form";
        diagnostics.warning(
            node,
            "`templates` is accepted, but Alertmanager's templates are not evaluated",
            hint,
        );
    }
    if let Some(node) = top.get("audiences") {
        let hint = "use routes with matchers on kind and severity";
        diagnostics.warning(node, "`audiences` is accepted, but does not act yet", hint);
    }
    let Some(node) = top.get("route") else {
        if plans.is_empty() {
            return Some((nobody(), receivers));
        }
        diagnostics.error_hint(top, "there are receivers but no `route`", "route: { receiver: NAME }");
        return None;
    };
    let route = read_route(node, diagnostics, 0)?;
    let names: Vec<String> = plans.keys().cloned().collect();
    match router::Config::try_new(route, plans, inhibit_rules, intervals) {
        Ok(config) => Some((config, receivers)),
        Err(error) => {
            report(&error, node, &names, diagnostics);
            None
        }
    }
}

/// Reports a fault where it stands; a receiver that does not exist, with the nearest that does.
fn report(error: &router::ConfigError, node: &Node, receivers: &[String], diagnostics: &Diagnostics) {
    match error {
        router::ConfigError::UnknownReceiver { receiver, .. } => {
            let known: Vec<&str> = receivers.iter().map(String::as_str).collect();
            let at = super::secrets::find_text(node, receiver).unwrap_or(node);
            diagnostics.error_hint(at, error.to_string(), policy::diagnostic::suggest(receiver, &known));
        }
        _ => diagnostics.error(node, error.to_string()),
    }
}

/// Where nobody is to be told, notices end here.
fn nobody() -> router::Config {
    let name = "nobody".to_owned();
    router::Config {
        route: Route { receiver: Some(name.clone()), ..Route::default() },
        receivers: BTreeMap::from([(name, router::ReceiverPlan::default())]),
        ..router::Config::default()
    }
}

/// Deeper than any tree a person keeps in mind; the reader is recursive.
const ROUTE_DEPTH_MAX: usize = 64;

fn read_route(node: &Node, diagnostics: &Diagnostics, depth: usize) -> Option<Route> {
    if depth > ROUTE_DEPTH_MAX {
        diagnostics.error(node, format!("routes are nested deeper than {ROUTE_DEPTH_MAX} levels"));
        return None;
    }
    let mut reader = Reader::open(node, "a route", diagnostics)?;
    let route = Route {
        receiver: reader.text("receiver").map(str::to_owned),
        matchers: read_matchers(&mut reader, ["matchers", "match", "match_re"]),
        group_by: reader.texts("group_by").map(group_by),
        group_wait: reader.duration("group_wait"),
        group_interval: reader.duration("group_interval"),
        repeat_interval: reader.duration("repeat_interval"),
        continue_matching: reader.boolean("continue").unwrap_or(false),
        mute_time_intervals: reader.texts("mute_time_intervals").unwrap_or_default(),
        active_time_intervals: reader.texts("active_time_intervals").unwrap_or_default(),
        routes: reader
            .list("routes")
            .iter()
            .filter_map(|child| read_route(child, diagnostics, depth + 1))
            .collect(),
    };
    if let Some(node) = reader.get("labels") {
        diagnostics.warning(node, "route `labels` are accepted, but not shown yet", "they change no routing");
    }
    reader.finish();
    Some(route)
}

fn group_by(names: Vec<String>) -> GroupBy {
    if names == ["..."] { GroupBy::All } else { GroupBy::Labels(names) }
}

/// The three ways in which Alertmanager writes matchers: a list of texts, and two older mappings.
fn read_matchers(reader: &mut Reader<'_, '_>, [list, equal, regex]: [&str; 3]) -> Vec<Matcher> {
    let diagnostics = reader.diagnostics();
    let mut matchers = Vec::new();
    let mut take =
        |at: &dyn Fn() -> policy::Place, parsed: Result<Vec<Matcher>, router::MatcherError>| match parsed {
            Ok(parsed) => matchers.extend(parsed),
            Err(error) => {
                diagnostics.error_hint(&at(), error.to_string(), "write it like severity=\"critical\"")
            }
        };
    for item in reader.list(list) {
        match item.text() {
            Some(text) => take(&|| item.place(), parse_matchers(text)),
            None => diagnostics.error(item, "a matcher must be a text"),
        }
    }
    for (entry, value) in reader.text_mapping(equal) {
        take(&|| entry.key.place(), Matcher::from_match(&entry.key.name, value).map(|one| vec![one]));
    }
    for (entry, value) in reader.text_mapping(regex) {
        take(&|| entry.key.place(), Matcher::from_match_re(&entry.key.name, value).map(|one| vec![one]));
    }
    matchers
}

fn read_inhibit_rule(node: &Node, diagnostics: &Diagnostics) -> Option<InhibitRule> {
    let mut reader = Reader::open(node, "an inhibit rule", diagnostics)?;
    let rule = InhibitRule {
        name: reader.text("name").map(str::to_owned),
        source: read_matchers(&mut reader, ["source_matchers", "source_match", "source_match_re"]),
        target: read_matchers(&mut reader, ["target_matchers", "target_match", "target_match_re"]),
        equal: reader.texts("equal").unwrap_or_default(),
    };
    reader.finish();
    Some(rule)
}

fn read_intervals(top: &mut Reader<'_, '_>, diagnostics: &Diagnostics) -> BTreeMap<String, TimeInterval> {
    let nodes = [top.list("time_intervals"), top.list("mute_time_intervals")].concat();
    let mut intervals = BTreeMap::new();
    for node in &nodes {
        let Some(mut reader) = Reader::open(node, "a time interval", diagnostics) else { continue };
        let name = reader.required_text("name").map(str::to_owned);
        let specs =
            reader.list("time_intervals").iter().filter_map(|spec| read_spec(spec, diagnostics)).collect();
        reader.finish();
        let Some(name) = name else { continue };
        if intervals.insert(name.clone(), TimeInterval { specs }).is_some() {
            diagnostics.error(node, format!("the time interval {name:?} is there twice"));
        }
    }
    intervals
}

fn read_spec(node: &Node, diagnostics: &Diagnostics) -> Option<TimeSpec> {
    let mut reader = Reader::open(node, "a time interval's entry", diagnostics)?;
    let times = reader.list("times").iter().filter_map(|node| read_times(node, diagnostics)).collect();
    let spec = TimeSpec {
        times,
        weekdays: ranges(&mut reader, "weekdays", WeekdayRange::parse),
        days_of_month: ranges(&mut reader, "days_of_month", DayOfMonthRange::parse),
        months: ranges(&mut reader, "months", MonthRange::parse),
        years: ranges(&mut reader, "years", YearRange::parse),
        location: reader
            .text("location")
            .map(Location::parse)
            .and_then(|parsed| parsed.map_err(|error| diagnostics.error(&reader, error.to_string())).ok())
            .unwrap_or_default(),
    };
    reader.finish();
    Some(spec)
}

fn read_times(node: &Node, diagnostics: &Diagnostics) -> Option<TimeRange> {
    let mut reader = Reader::open(node, "a range of times", diagnostics)?;
    let (start, end) = (reader.required_text("start_time"), reader.required_text("end_time"));
    let range =
        TimeRange::parse(start?, end?).map_err(|error| diagnostics.error(node, error.to_string())).ok();
    reader.finish();
    range
}

fn ranges<T, E: std::fmt::Display>(
    reader: &mut Reader<'_, '_>,
    key: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Vec<T> {
    let diagnostics = reader.diagnostics();
    let texts = reader.texts(key).unwrap_or_default();
    let parsed = texts.iter().map(|text| parse(text));
    parsed.filter_map(|it| it.map_err(|error| diagnostics.error(reader, error.to_string())).ok()).collect()
}

/// Alertmanager's default of a webhook's `timeout`, 0: none of its own.
pub(super) fn nonzero(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}
