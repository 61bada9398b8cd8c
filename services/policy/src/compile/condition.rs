//! Conditions as they stand in a file, and what can be said about them before any data comes in.

use crate::{
    Expression, MetricDefinition, MetricSource, Operand, Operator, RatioKind, Shape,
    diagnostic::{Located, Place, nearest},
    expression::{Compared, NameUse, Parsed, Unit, parse_with_uses},
    yaml::Node,
};

use super::Scope;

/// Facts that the handbook's gates and failover triggers name.
const KNOWN_FACTS: [&str; 9] = [
    "all_tests_pass",
    "api_response_time",
    "compliance_score",
    "critical_vulnerabilities",
    "linting_errors",
    "performance_regression",
    "region_unavailability",
    "security_vulnerabilities",
    "test_coverage",
];

/// A metric that the handbook names and no standard defines.
const CONVERSION_RATE: &str = "conversion_rate";

/// Bounds of OpenTelemetry's default buckets for request durations, seconds (semantic conventions, HTTP).
const OTEL_BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Below this ratio one failure among a usual number of requests exceeds the limit.
const FINE_RATIO: f64 = 0.001;

/// Where a condition stands, which decides how bad a name is that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Trigger,
    Criterion,
    /// Compared with facts that a pipeline posts.
    Gate,
    Failover,
}

/// A condition that is compiled, with its text as written.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) expression: Expression,
    pub(super) text: String,
}

/// Reads the condition that a node holds.
pub(super) fn read(scope: Scope<'_>, node: &Node, role: Role, min_requests: u64) -> Option<Condition> {
    let Some(written) = node.text() else {
        let hint = "a condition looks like `error_rate > 1%`";
        let message = format!("a condition must be a text, found {}", node.kind());
        scope.diagnostics.error_hint(node, message, hint);
        return None;
    };
    compile(scope, written, &|offset| node.place_in_text(offset), role, min_requests)
}

/// Compiles `text`; `place` tells where its characters stand.
pub(super) fn compile(
    scope: Scope<'_>,
    text: &str,
    place: &dyn Fn(usize) -> Place,
    role: Role,
    min_requests: u64,
) -> Option<Condition> {
    let Parsed { expression, uses } = match parse_with_uses(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            scope.diagnostics.error_hint(&place(error.offset), error.message, error.hint);
            return None;
        }
    };
    for name_use in &uses {
        let check = Check { scope, at: place(name_use.offset), role, min_requests };
        check.name(name_use);
    }
    Some(Condition { expression: resolved(expression, scope), text: text.trim().to_owned() })
}

/// A metric may be called `latency_p95` itself: it wins over a quantile of a metric that nobody defined.
fn resolved(expression: Expression, scope: Scope<'_>) -> Expression {
    let side = |operand: Operand| match operand {
        Operand::Metric { name, quantile: Some(quantile) } => {
            let whole = crate::expression::metric_name(&name, Some(quantile));
            match !scope.metrics.contains_key(&name) && scope.metrics.contains_key(&whole) {
                true => Operand::Metric { name: whole, quantile: None },
                false => Operand::Metric { name, quantile: Some(quantile) },
            }
        }
        operand => operand,
    };
    let boxed = |inner: Box<Expression>| Box::new(resolved(*inner, scope));
    match expression {
        Expression::Compare { left, operator, right } => {
            Expression::Compare { left: side(left), operator, right: side(right) }
        }
        Expression::And(left, right) => Expression::And(boxed(left), boxed(right)),
        Expression::Or(left, right) => Expression::Or(boxed(left), boxed(right)),
        leaf => leaf,
    }
}

/// What a metric is, by its preferred source.
fn shape_of(definition: &MetricDefinition) -> Option<Shape> {
    definition.sources.first().map(MetricSource::shape)
}

fn article(shape: Shape) -> &'static str {
    match shape {
        Shape::Ratio(_) => "a ratio",
        Shape::Histogram => "a time",
        Shape::Gauge => "a gauge",
        Shape::Throughput => "requests per second",
    }
}

/// Whether less of a metric is worse, as it is for a ratio of what is good.
pub(super) fn is_less_worse(definition: &MetricDefinition) -> bool {
    shape_of(definition) == Some(Shape::Ratio(RatioKind::Good))
}

/// Whether a metric has quantiles.
pub(super) fn is_histogram(definition: &MetricDefinition) -> bool {
    shape_of(definition) == Some(Shape::Histogram)
}

/// One name of a condition under examination.
struct Check<'a> {
    scope: Scope<'a>,
    at: Place,
    role: Role,
    min_requests: u64,
}

impl Located for Check<'_> {
    fn place(&self) -> Place {
        self.at.clone()
    }
}

impl Check<'_> {
    fn name(&self, name_use: &NameUse) {
        let definition =
            self.scope.metrics.get(&name_use.name).or_else(|| self.scope.metrics.get(&name_use.text));
        match (definition, name_use.compared) {
            (Some(_), Compared::WithNothing) => {
                let message = format!("`{}` is a metric and is compared with nothing", name_use.text);
                let hint = format!("add a limit: `{} > …`", name_use.text);
                self.scope.diagnostics.error_hint(self, message, hint);
            }
            (Some(definition), _) => self.metric(definition, name_use),
            (None, compared) if KNOWN_FACTS.contains(&name_use.text.as_str()) => {
                if self.role == Role::Trigger && compared != Compared::WithNothing {
                    let message = format!(
                        "`{}` is a fact, and triggers compare metrics: this could never fire",
                        name_use.text
                    );
                    let hint = "quality gates compare facts; a trigger may ask for one that is true or false";
                    self.scope.diagnostics.error_hint(self, message, hint);
                }
            }
            (None, compared) => self.unknown(name_use, compared == Compared::WithNothing),
        }
    }

    fn unknown(&self, name_use: &NameUse, is_bare: bool) {
        let name = name_use.text.as_str();
        let metrics = self.scope.metrics.keys().map(String::as_str);
        let known = metrics.chain(KNOWN_FACTS).chain([CONVERSION_RATE]);
        if name == CONVERSION_RATE {
            let message = "`conversion_rate` is not defined: nothing comes of this until it is";
            let hint = "metrics: { conversion_rate: { ratio: { good: checkout_completed_total, total: checkout_started_total } } }";
            return self.scope.diagnostics.warning(self, message, hint);
        }
        let near = nearest(&name_use.name, known);
        let meant = near.map(|near| match name_use.text.strip_prefix(&name_use.name) {
            Some(suffix) => format!("did you mean `{near}{suffix}`?"),
            None => format!("did you mean `{near}`?"),
        });
        if self.role == Role::Trigger && !is_bare {
            let hint = meant.unwrap_or_else(|| format!("define it: metrics: {{ {name}: {{ … }} }}"));
            let message = format!("`{name}` is not defined: this could never fire");
            return self.scope.diagnostics.error_hint(self, message, hint);
        }
        let hint = meant.unwrap_or_else(|| match is_bare {
            true => "a bare name is a fact, true or false, that a release or a pipeline posts".to_owned(),
            false => format!("post it as a fact, or define it: metrics: {{ {name}: {{ … }} }}"),
        });
        let message = format!("`{name}` is neither a metric nor a fact that is known here");
        self.scope.diagnostics.warning(self, message, hint);
    }

    fn metric(&self, definition: &MetricDefinition, name_use: &NameUse) {
        let Some(shape) = shape_of(definition) else { return };
        let is_quantile = name_use.quantile.is_some() && definition.name != name_use.text;
        if is_quantile && shape != Shape::Histogram {
            let message = format!("`{}` has no quantiles: it is {}", definition.name, article(shape));
            let hint = format!("write `{}`", definition.name);
            return self.scope.diagnostics.error_hint(self, message, hint);
        }
        if let Compared::WithNumber { operator, value, unit } = name_use.compared {
            self.unit(name_use, shape, unit);
            match shape {
                Shape::Ratio(_) => self.ratio(name_use, operator, value, unit),
                Shape::Histogram => self.bucket(name_use, value),
                Shape::Gauge | Shape::Throughput => {}
            }
        }
    }

    fn unit(&self, name_use: &NameUse, shape: Shape, unit: Unit) {
        let (limit, hint) = match (shape, unit) {
            (Shape::Ratio(_), Unit::Time) => ("a time", "write it as 1% or 0.01"),
            (Shape::Histogram, Unit::Percent) => ("a ratio", "write it as 300ms or 1s"),
            (Shape::Throughput, Unit::Percent) => {
                ("a ratio", "write it as a bare number, or compare with `baseline * 0.5`")
            }
            (Shape::Throughput, Unit::Time) => ("a time", "write it as a bare number"),
            _ => return,
        };
        let message = format!("`{}` is {}, compared with {limit}", name_use.text, article(shape));
        self.scope.diagnostics.error_hint(self, message, hint);
    }

    fn ratio(&self, name_use: &NameUse, operator: Operator, value: f64, unit: Unit) {
        let is_upper = matches!(operator, Operator::Greater | Operator::GreaterOrEqual);
        if value >= 1.0 && is_upper && unit == Unit::None {
            let message = format!("`{}` is a ratio and never exceeds 1", name_use.text);
            return self.scope.diagnostics.warning(self, message, format!("did you mean {value}%?"));
        }
        let needed = (1.0 / value).ceil();
        if value > 0.0 && value < FINE_RATIO && (self.min_requests as f64) < needed {
            let message = format!(
                "{}% is finer than {} requests can tell: one failure is already more",
                crate::compile::triggers::percent(value),
                self.min_requests
            );
            let hint = format!("set min_requests to {needed} or more, or take a longer window");
            self.scope.diagnostics.warning(self, message, hint);
        }
    }

    fn bucket(&self, name_use: &NameUse, value: f64) {
        if OTEL_BOUNDS.contains(&value) || value > OTEL_BOUNDS[OTEL_BOUNDS.len() - 1] || value <= 0.0 {
            return;
        }
        let above = OTEL_BOUNDS.partition_point(|bound| *bound < value);
        let below = above.checked_sub(1).map_or(0.0, |below| OTEL_BOUNDS[below]);
        let message = format!(
            "`{}` against {value} s is interpolated: OpenTelemetry's default buckets have no bound there",
            name_use.text
        );
        let hint = format!(
            "take {below} s or {} s, or give the histogram a bound at {value} s",
            OTEL_BOUNDS[above.min(OTEL_BOUNDS.len() - 1)]
        );
        self.scope.diagnostics.warning(self, message, hint);
    }
}
