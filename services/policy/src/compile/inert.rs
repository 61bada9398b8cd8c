//! Sections that are understood and do not act yet: read strictly all the same, so that a file stays valid when
//! they begin to.

use promql_parser::{
    parser::{self, Expr},
    util::visitor::{ExprVisitor, walk_expr},
};

use crate::{
    diagnostic::Located,
    yaml::{Node, Reader},
};

use super::{
    Scope,
    condition::{self, Role},
    defaults::check_duration,
};

/// The longest query that is examined: what it nests is walked recursively.
const MAX_QUERY_LENGTH: usize = 2000;

/// Says loudly that a section has no effect.
pub(super) fn not_acting(scope: Scope<'_>, at: &crate::yaml::Key, consequence: &str) {
    let message = format!("`{}` is parsed but does not act yet", at.name);
    scope.diagnostics.warning(at, message, format!("until it does, {consequence}"));
}

pub(super) fn read(root: &mut Reader<'_, '_>, scope: Scope<'_>) {
    failover(root, scope);
    circuit_breaker(root, scope);
    dashboard(root, scope);
}

fn failover(root: &mut Reader<'_, '_>, scope: Scope<'_>) {
    let Some(entry) = root.entry("failover_strategy") else { return };
    not_acting(scope, &entry.key, "no failover is triggered");
    let Some(mut reader) = root.mapping("failover_strategy") else { return };
    reader.text("primary_region");
    reader.text("secondary_region");
    for node in reader.list("failover_triggers") {
        condition::read(scope, node, Role::Failover, scope.defaults.min_requests);
    }
    for key in ["recovery_time_objective", "recovery_point_objective"] {
        if let Some(node) = reader.get(key) {
            check_duration(node, &reader);
        }
    }
    reader.finish();
}

/// The handbook's JavaScript object, as YAML: times are milliseconds.
fn circuit_breaker(root: &mut Reader<'_, '_>, scope: Scope<'_>) {
    let Some(entry) = root.entry("circuit_breaker") else { return };
    not_acting(scope, &entry.key, "no traffic is routed by it");
    let Some(mut reader) = root.mapping("circuit_breaker") else { return };
    const DAY_MS: u64 = 86_400_000;
    reader.integer_within("failureThreshold", 1..=1_000_000);
    reader.integer_within("timeout", 1..=DAY_MS);
    reader.integer_within("resetTimeout", 1..=DAY_MS);
    reader.text("onOpen");
    if let Some(mut half_open) = reader.mapping("onHalfOpen") {
        half_open.integer_within("enableCanaryTraffic", 0..=100);
        half_open.finish();
    }
    reader.finish();
}

fn dashboard(root: &mut Reader<'_, '_>, scope: Scope<'_>) {
    let Some(entry) = root.entry("dashboard") else { return };
    not_acting(scope, &entry.key, "the console shows its own page");
    let Some(mut reader) = root.mapping("dashboard") else { return };
    reader.text("name");
    for node in reader.list("widgets") {
        widget(node, scope);
    }
    reader.finish();
}

fn widget(node: &Node, scope: Scope<'_>) {
    let Some(mut reader) = Reader::open(node, "a widget", scope.diagnostics) else { return };
    let kind = reader.required_text("type").unwrap_or_default();
    reader.text("title");
    reader.parsed("threshold", |text| {
        text.parse::<f64>().map_err(|_| {
            crate::yaml::ValueError::new(format!("`{text}` is not a number"), "write it as 0.01")
        })
    });
    if let (Some(text), Some(query)) = (reader.required_text("query"), reader.get("query")) {
        lint_query(kind, text, query, scope);
    }
    reader.finish();
}

fn lint_query(kind: &str, text: &str, query: &Node, scope: Scope<'_>) {
    if text.len() > MAX_QUERY_LENGTH {
        let message = format!("a query of {} characters is not examined", text.len());
        return scope.diagnostics.warning(query, message, "make a recording rule of it");
    }
    let parsed = match parser::parse(text) {
        Ok(parsed) => parsed,
        Err(fault) => {
            let message = format!("not a PromQL expression: {fault}");
            return scope.diagnostics.warning(query, message, "try it in Prometheus first");
        }
    };
    let mut seen = Seen::default();
    // The visitor's error type is never constructed, so that this cannot fail.
    if walk_expr(&mut seen, &parsed).is_err() {
        return;
    }
    if kind == "error_rate" && seen.has_rate && !seen.has_division {
        let hint = format!("divide by the rate of all requests: {text} / sum(rate(http_requests_total[5m]))");
        let message =
            "this is errors per second, not a ratio: it grows with traffic, and its threshold with it";
        scope.diagnostics.warning(&query.place(), message, hint);
    }
    if seen.has_bare_quantile {
        let hint = "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))";
        let message = "histogram_quantile() without rate() is the quantile since each process began, not now";
        scope.diagnostics.warning(&query.place(), message, hint);
    }
}

/// What a query holds.
#[derive(Default)]
struct Seen {
    has_rate: bool,
    has_division: bool,
    has_bare_quantile: bool,
}

impl ExprVisitor for Seen {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Self::Error> {
        match expression {
            Expr::Call(call) if is_rate(call.func.name) => self.has_rate = true,
            Expr::Call(call) if call.func.name == "histogram_quantile" => {
                let mut inside = Self::default();
                for argument in &call.args.args {
                    walk_expr(&mut inside, argument)?;
                }
                self.has_bare_quantile |= !inside.has_rate;
            }
            Expr::Binary(binary) => self.has_division |= binary.op.to_string() == "/",
            _ => {}
        }
        Ok(true)
    }
}

fn is_rate(function: &str) -> bool {
    matches!(function, "rate" | "irate" | "increase")
}
