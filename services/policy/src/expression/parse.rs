//! Tokens to a tree, by recursive descent: `or` of `and` of comparisons, facts, alerts and parentheses.

use std::str::FromStr;

use super::{
    Expression, Operand, Operator,
    token::{Kind, Token, Unit, tokens},
};

/// The longest condition: fifty comparisons, more than a person can check.
pub const MAX_CONDITION_LENGTH: usize = 2000;
/// How deep parentheses may lie in each other.
pub const MAX_NESTING: usize = 32;

/// Why a text is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Where, in characters from the text's beginning.
    pub offset: usize,
    pub message: String,
    pub hint: String,
}

impl ParseError {
    pub(super) fn new(offset: usize, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { offset, message: message.into(), hint: hint.into() }
    }
}

/// What a name of a condition is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compared {
    /// A bare name.
    WithNothing,
    /// `operator` as if the name stood on the left; `value` in base units.
    WithNumber {
        operator: Operator,
        value: f64,
        unit: Unit,
    },
    WithBaseline {
        operator: Operator,
        factor: f64,
    },
    WithMetric,
}

/// A name and where it was used.
#[derive(Clone, Debug, PartialEq)]
pub struct NameUse {
    /// Without the quantile suffix.
    pub name: String,
    pub quantile: Option<f64>,
    /// As written.
    pub text: String,
    /// In characters from the text's beginning.
    pub offset: usize,
    pub compared: Compared,
}

/// A condition and the names it uses, in the order in which they stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    pub expression: Expression,
    pub uses: Vec<NameUse>,
}

/// Parses a condition.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    parse_with_uses(text).map(|parsed| parsed.expression)
}

/// Parses a condition and tells where its names stand.
pub fn parse_with_uses(text: &str) -> Result<Parsed, ParseError> {
    let length = text.chars().count();
    if length > MAX_CONDITION_LENGTH {
        let message = format!("the condition has {length} characters, the most is {MAX_CONDITION_LENGTH}");
        return Err(ParseError::new(0, message, "make several triggers of it"));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, end: length, nesting: 0, uses: Vec::new() };
    let expression = parser.any()?;
    match parser.peek() {
        None => Ok(Parsed { expression, uses: parser.uses }),
        Some(token) => Err(parser.left_over(token)),
    }
}

impl FromStr for Expression {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    end: usize,
    nesting: usize,
    uses: Vec<NameUse>,
}

/// An operand with what the checks want to know of it.
struct Side {
    operand: Operand,
    unit: Unit,
    token: Token,
}

impl Parser {
    fn any(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.all()?;
        while self.take_word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.primary()?;
        while self.take_word("and") {
            left = Expression::And(Box::new(left), Box::new(self.primary()?));
        }
        Ok(left)
    }

    fn primary(&mut self) -> Result<Expression, ParseError> {
        if self.take(&Kind::Open) {
            return self.parenthesised();
        }
        if self.peek().is_some_and(|token| is_word(token, "alert")) {
            return self.alert();
        }
        let left = self.operand()?;
        let Some(operator) = self.take_operator() else { return self.fact(left) };
        let right = self.operand()?;
        if let Some(token) = self.peek().filter(|token| matches!(token.kind, Kind::Operator(_))) {
            let hint = "compare two at a time and join them: `a > 1 and a < 5`";
            return Err(ParseError::new(token.offset, "a comparison has two sides", hint));
        }
        self.comparison(left, operator, right)
    }

    fn parenthesised(&mut self) -> Result<Expression, ParseError> {
        let opened = self.tokens[self.at - 1].offset;
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            let message = format!("parentheses nested deeper than {MAX_NESTING}");
            return Err(ParseError::new(opened, message, "make several triggers of it"));
        }
        let inner = self.any()?;
        self.nesting -= 1;
        if !self.take(&Kind::Close) {
            let offset = self.offset();
            return Err(ParseError::new(offset, "a parenthesis is not closed", "add `)`"));
        }
        if let Some(token) = self.peek().filter(|token| matches!(token.kind, Kind::Operator(_) | Kind::Star))
        {
            let hint = "parentheses hold whole conditions; leave them away around an operand";
            return Err(ParseError::new(opened, format!("`{}` after parentheses", token.text), hint));
        }
        Ok(inner)
    }

    fn alert(&mut self) -> Result<Expression, ParseError> {
        let hint = "write the alert's name in quotes: `alert(\"HighErrorRate\")`";
        self.at += 1;
        let named = match (self.take(&Kind::Open), self.peek().map(|token| token.kind.clone())) {
            (true, Some(Kind::Text(name))) if !name.is_empty() => name,
            _ => return Err(ParseError::new(self.offset(), "`alert` needs the name of an alert", hint)),
        };
        self.at += 1;
        if self.take(&Kind::Close) {
            return Ok(Expression::Alert(named));
        }
        Err(ParseError::new(self.offset(), "the parenthesis of `alert` is not closed", hint))
    }

    fn fact(&mut self, side: Side) -> Result<Expression, ParseError> {
        match side.operand {
            Operand::Metric { .. } => {
                let name = side.token.text.clone();
                self.note(&side, Compared::WithNothing);
                Ok(Expression::Fact(name))
            }
            Operand::Number(_) | Operand::Baseline { .. } => {
                let message = format!("`{}` is compared with nothing", side.token.text);
                Err(ParseError::new(self.offset(), message, "add an operator: > >= < <= == !="))
            }
        }
    }

    fn comparison(&mut self, left: Side, operator: Operator, right: Side) -> Result<Expression, ParseError> {
        match (&left.operand, &right.operand) {
            (Operand::Metric { .. }, Operand::Metric { .. }) => {
                self.note(&left, Compared::WithMetric);
                self.note(&right, Compared::WithMetric);
            }
            (Operand::Metric { .. }, other) => {
                let compared = compared(operator, other, right.unit);
                self.note(&left, compared);
            }
            (other, Operand::Metric { .. }) => {
                let compared = compared(operator.mirrored(), other, left.unit);
                self.note(&right, compared);
            }
            (Operand::Number(_), Operand::Number(_)) => {
                let hint = "one side must be a metric: `error_rate > 1%`";
                return Err(ParseError::new(left.token.offset, "two numbers are compared", hint));
            }
            _ => {
                let baseline = if matches!(left.operand, Operand::Baseline { .. }) { &left } else { &right };
                let hint =
                    "a baseline is that of the metric on the other side: `conversion_rate < baseline * 0.9`";
                return Err(ParseError::new(
                    baseline.token.offset,
                    "`baseline` without a metric on the other side",
                    hint,
                ));
            }
        }
        Ok(Expression::Compare { left: left.operand, operator, right: right.operand })
    }

    fn operand(&mut self) -> Result<Side, ParseError> {
        let Some(token) = self.peek().cloned() else {
            return Err(ParseError::new(
                self.end,
                "the condition ends too early",
                "add a metric or a number",
            ));
        };
        self.at += 1;
        match &token.kind {
            Kind::Number(factor, Unit::None | Unit::Percent) if self.take(&Kind::Star) => {
                self.expect_baseline()?;
                baseline(*factor, token)
            }
            Kind::Number(value, unit) => Ok(Side { operand: Operand::Number(*value), unit: *unit, token }),
            Kind::Name(name) if name == "baseline" => self.baseline_and_factor(token),
            Kind::Name(name) if matches!(name.as_str(), "and" | "or") => {
                let message = format!("`{name}` joins two conditions, one is missing");
                Err(ParseError::new(token.offset, message, "a condition looks like `error_rate > 1%`"))
            }
            Kind::Name(name) if name == "not" => Err(ParseError::new(
                token.offset,
                "there is no `not`",
                "turn the comparison around, or compare with `!=`",
            )),
            Kind::Name(name) => {
                let (name, quantile) = split_quantile(name);
                let operand = Operand::Metric { name: name.to_owned(), quantile };
                Ok(Side { operand, unit: Unit::None, token })
            }
            _ => Err(ParseError::new(
                token.offset,
                format!("expected a metric, a number or `baseline`, found `{}`", token.text),
                "a condition looks like `error_rate > 1%`",
            )),
        }
    }

    fn baseline_and_factor(&mut self, token: Token) -> Result<Side, ParseError> {
        if !self.take(&Kind::Star) {
            return baseline(1.0, token);
        }
        match self.peek().map(|token| token.kind.clone()) {
            Some(Kind::Number(factor, Unit::None | Unit::Percent)) => {
                self.at += 1;
                baseline(factor, token)
            }
            _ => Err(ParseError::new(
                self.offset(),
                "expected a factor after `baseline *`",
                "a factor is a bare number: `baseline * 0.9`",
            )),
        }
    }

    fn expect_baseline(&mut self) -> Result<(), ParseError> {
        if self.take_word("baseline") {
            return Ok(());
        }
        let hint = "only the baseline can be multiplied: `0.9 * baseline`";
        Err(ParseError::new(self.offset(), "expected `baseline` after `*`", hint))
    }

    fn note(&mut self, side: &Side, compared: Compared) {
        let Operand::Metric { name, quantile } = &side.operand else { return };
        self.uses.push(NameUse {
            name: name.clone(),
            quantile: *quantile,
            text: side.token.text.clone(),
            offset: side.token.offset,
            compared,
        });
    }

    fn left_over(&self, token: &Token) -> ParseError {
        let hint = match &token.kind {
            Kind::Name(word) if word.eq_ignore_ascii_case("and") => "write `and` in small letters",
            Kind::Name(word) if word.eq_ignore_ascii_case("or") => "write `or` in small letters",
            Kind::Close => "remove `)`, or open it before",
            Kind::Star => "only the baseline can be multiplied: `conversion_rate < baseline * 0.9`",
            _ => "join conditions with `and` or `or`",
        };
        let message = format!("expected `and`, `or` or the end, found `{}`", token.text);
        ParseError::new(token.offset, message, hint)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn offset(&self) -> usize {
        self.peek().map_or(self.end, |token| token.offset)
    }

    fn take(&mut self, kind: &Kind) -> bool {
        let is_next = self.peek().is_some_and(|token| token.kind == *kind);
        self.at += usize::from(is_next);
        is_next
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_next = self.peek().is_some_and(|token| is_word(token, word));
        self.at += usize::from(is_next);
        is_next
    }

    fn take_operator(&mut self) -> Option<Operator> {
        let Kind::Operator(operator) = self.peek()?.kind else { return None };
        self.at += 1;
        Some(operator)
    }
}

impl Operator {
    /// The operator that says the same with its sides exchanged.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(&token.kind, Kind::Name(name) if name == word)
}

fn compared(operator: Operator, other: &Operand, unit: Unit) -> Compared {
    match *other {
        Operand::Number(value) => Compared::WithNumber { operator, value, unit },
        Operand::Baseline { factor } => Compared::WithBaseline { operator, factor },
        Operand::Metric { .. } => Compared::WithMetric,
    }
}

fn baseline(factor: f64, token: Token) -> Result<Side, ParseError> {
    if factor <= 0.0 {
        let hint = "a factor is above zero: `baseline * 0.9`";
        return Err(ParseError::new(token.offset, format!("the baseline times {factor}"), hint));
    }
    Ok(Side { operand: Operand::Baseline { factor }, unit: Unit::None, token })
}

/// `response_time_p95` is the 0.95 quantile of `response_time`, `_p999` the 0.999 one.
fn split_quantile(text: &str) -> (&str, Option<f64>) {
    let Some((name, digits)) = text.rsplit_once("_p") else { return (text, None) };
    let is_suffix = (2..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    match format!("0.{digits}").parse::<f64>() {
        Ok(quantile) if is_suffix && quantile > 0.0 && !name.is_empty() => (name, Some(quantile)),
        _ => (text, None),
    }
}
