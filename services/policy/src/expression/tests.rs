use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: Expect) {
    let shown = match parse(text) {
        Ok(expression) => expression.to_string(),
        Err(ParseError { offset, message, hint }) => {
            format!("{text}\n{}^ {message}\nhint: {hint}", " ".repeat(offset))
        }
    };
    expected.assert_eq(&shown);
}

#[test]
fn every_condition_of_the_handbook_parses() {
    for (text, shown) in [
        ("error_rate < 0.01%", "error_rate < 0.0001"),
        ("response_time_p95 < 300ms", "response_time_p95 < 0.3"),
        ("test_coverage >= 80%", "test_coverage >= 0.8"),
        ("linting_errors == 0", "linting_errors == 0"),
        ("security_vulnerabilities == 0", "security_vulnerabilities == 0"),
        ("all_tests_pass", "all_tests_pass"),
        ("performance_regression < 5%", "performance_regression < 0.05"),
        ("api_response_time < 200ms", "api_response_time < 0.2"),
        ("critical_vulnerabilities == 0", "critical_vulnerabilities == 0"),
        ("compliance_score >= 95%", "compliance_score >= 0.95"),
        ("error_rate > 1%", "error_rate > 0.01"),
        ("response_time_p95 > 1s", "response_time_p95 > 1"),
        ("conversion_rate < baseline * 0.9", "conversion_rate < baseline * 0.9"),
        ("region_unavailability > 5m", "region_unavailability > 300"),
        ("error_rate > 5%", "error_rate > 0.05"),
        ("response_time > 5s", "response_time > 5"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn and_binds_tighter_than_or_and_parentheses_change_that() {
    check("a > 1 or b > 2 and c > 3", expect!["a > 1 or b > 2 and c > 3"]);
    check("(a > 1 or b > 2) and c > 3", expect!["(a > 1 or b > 2) and c > 3"]);
    let loose = parse("a > 1 or b > 2 and c > 3").unwrap();
    assert!(matches!(loose, Expression::Or(_, right) if matches!(*right, Expression::And(..))));
}

#[test]
fn operands_may_stand_on_either_side() {
    check("1% < error_rate", expect!["0.01 < error_rate"]);
    check("0.9 * baseline > conversion_rate", expect!["baseline * 0.9 > conversion_rate"]);
    check("response_time_p99 > baseline * 150%", expect!["response_time_p99 > baseline * 1.5"]);
    check("error_rate > baseline", expect!["error_rate > baseline"]);
    check("temperature < -4", expect!["temperature < -4"]);
    check("response_time_p999 > response_time_p50", expect!["response_time_p999 > response_time_p50"]);
    check("alert('High \"x\" Rate') and is_canary", expect![[r#"alert("High \"x\" Rate") and is_canary"#]]);
}

#[test]
fn a_quantile_suffix_is_a_fraction_of_ten() {
    for (text, quantile) in [
        ("t_p50", Some(0.5)),
        ("t_p95", Some(0.95)),
        ("t_p999", Some(0.999)),
        ("t_p9999", Some(0.9999)),
        ("t_p5", None),
        ("t_p00", None),
        ("t_plan", None),
    ] {
        let Expression::Compare { left: Operand::Metric { quantile: found, .. }, .. } =
            parse(&format!("{text} > 1")).unwrap()
        else {
            panic!("{text} is a metric");
        };
        assert_eq!(found, quantile, "{text}");
    }
}

#[test]
fn uses_tell_where_each_name_stands_and_what_it_is_compared_with() {
    let uses = parse_with_uses("1% < error_rate and t_p95 > 1s and ok").unwrap().uses;
    let shown: Vec<String> =
        uses.iter().map(|u| format!("{} {} {:?}", u.offset, u.text, u.compared)).collect();
    expect![[r#"
        5 error_rate WithNumber { operator: Greater, value: 0.01, unit: Percent }
        20 t_p95 WithNumber { operator: Greater, value: 1.0, unit: Time }
        35 ok WithNothing"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn faults_point_at_their_column_and_say_what_to_write() {
    check(
        "",
        expect![[r#"

        ^ the condition ends too early
        hint: add a metric or a number"#]],
    );
    check(
        "error_rate > ",
        expect![[r#"
        error_rate > 
                     ^ the condition ends too early
        hint: add a metric or a number"#]],
    );
    check(
        "error_rate = 1%",
        expect![[r#"
        error_rate = 1%
                   ^ unexpected `=`
        hint: equality is written `==`"#]],
    );
    check(
        "error_rate > 1 %",
        expect![[r#"
        error_rate > 1 %
                       ^ unexpected `%`
        hint: write the unit right after its number: `1%`"#]],
    );
    check(
        "response_time > 5sec",
        expect![[r#"
        response_time > 5sec
                         ^ unknown unit `sec`
        hint: write `s`"#]],
    );
    check(
        "error_rate > 1% && ok",
        expect![[r#"
        error_rate > 1% && ok
                        ^ unexpected `&`
        hint: write `and`"#]],
    );
    check(
        "error_rate > 1% AND ok",
        expect![[r#"
        error_rate > 1% AND ok
                        ^ expected `and`, `or` or the end, found `AND`
        hint: write `and` in small letters"#]],
    );
    check(
        "not ok",
        expect![[r#"
        not ok
        ^ there is no `not`
        hint: turn the comparison around, or compare with `!=`"#]],
    );
    check(
        "1 < error_rate < 5",
        expect![[r#"
        1 < error_rate < 5
                       ^ a comparison has two sides
        hint: compare two at a time and join them: `a > 1 and a < 5`"#]],
    );
    check(
        "1 < 5",
        expect![[r#"
        1 < 5
        ^ two numbers are compared
        hint: one side must be a metric: `error_rate > 1%`"#]],
    );
    check(
        "baseline > 5",
        expect![[r#"
        baseline > 5
        ^ `baseline` without a metric on the other side
        hint: a baseline is that of the metric on the other side: `conversion_rate < baseline * 0.9`"#]],
    );
    check(
        "a < baseline * b",
        expect![[r#"
        a < baseline * b
                       ^ expected a factor after `baseline *`
        hint: a factor is a bare number: `baseline * 0.9`"#]],
    );
    check(
        "a < baseline * 0",
        expect![[r#"
        a < baseline * 0
            ^ the baseline times 0
        hint: a factor is above zero: `baseline * 0.9`"#]],
    );
    check(
        "a > 2 * b",
        expect![[r#"
        a > 2 * b
                ^ expected `baseline` after `*`
        hint: only the baseline can be multiplied: `0.9 * baseline`"#]],
    );
    check(
        "a * 2 > 1",
        expect![[r#"
        a * 2 > 1
          ^ expected `and`, `or` or the end, found `*`
        hint: only the baseline can be multiplied: `conversion_rate < baseline * 0.9`"#]],
    );
    check(
        "(a > 1",
        expect![[r#"
        (a > 1
              ^ a parenthesis is not closed
        hint: add `)`"#]],
    );
    check(
        "a > 1)",
        expect![[r#"
        a > 1)
             ^ expected `and`, `or` or the end, found `)`
        hint: remove `)`, or open it before"#]],
    );
    check(
        "(a) > 1",
        expect![[r#"
        (a) > 1
        ^ `>` after parentheses
        hint: parentheses hold whole conditions; leave them away around an operand"#]],
    );
    check(
        "alert(High)",
        expect![[r#"
        alert(High)
              ^ `alert` needs the name of an alert
        hint: write the alert's name in quotes: `alert("HighErrorRate")`"#]],
    );
    check(
        "alert(\"High\"",
        expect![[r#"
        alert("High"
                    ^ the parenthesis of `alert` is not closed
        hint: write the alert's name in quotes: `alert("HighErrorRate")`"#]],
    );
    check(
        "alert(\"High)",
        expect![[r#"
        alert("High)
              ^ a quote that is not closed
        hint: end the name with ""#]],
    );
    check(
        "a > .5",
        expect![[r#"
        a > .5
            ^ unexpected `.`
        hint: write a digit before the point: `0.5`"#]],
    );
    check(
        "a > 5.",
        expect![[r#"
        a > 5.
            ^ `5.` is not a number
        hint: write it as 1 or 0.5"#]],
    );
    check(
        "a > 1e999",
        expect![[r#"
            a > 1e999
                ^ `1e999` is too large
            hint: write a smaller number"#]],
    );
    check(
        "a > 1 b",
        expect![[r#"
        a > 1 b
              ^ expected `and`, `or` or the end, found `b`
        hint: join conditions with `and` or `or`"#]],
    );
    check(
        "and a",
        expect![[r#"
        and a
        ^ `and` joins two conditions, one is missing
        hint: a condition looks like `error_rate > 1%`"#]],
    );
    check(
        "5",
        expect![[r#"
        5
         ^ `5` is compared with nothing
        hint: add an operator: > >= < <= == !="#]],
    );
    check(
        "größe > 1",
        expect![[r#"
        größe > 1
          ^ unexpected `ö`
        hint: a condition looks like `error_rate > 1%` or `response_time_p95 > 1s and error_rate > 0.5%`"#]],
    );
}

#[test]
fn length_and_nesting_are_bounded() {
    assert!(parse(&"a and ".repeat(400)).unwrap_err().message.contains("the most is 2000"));
    let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
    assert!(parse(&deep).unwrap_err().message.contains("deeper than 32"));
}

fn names() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_.:]{0,8}".prop_filter("keywords are no names", |name| {
        token::is_name(name) && name != "not" && !name.contains("_p")
    })
}

fn metrics() -> impl Strategy<Value = Operand> {
    let quantiles = prop::option::of((1_u32..10_000).prop_map(|n| f64::from(n) / 10_000.0));
    (names(), quantiles).prop_map(|(name, quantile)| Operand::Metric { name, quantile })
}

fn others() -> impl Strategy<Value = Operand> {
    prop_oneof![
        metrics(),
        (-1e12_f64..1e12).prop_map(Operand::Number),
        (1e-6_f64..1e6).prop_map(|factor| Operand::Baseline { factor }),
        Just(Operand::Baseline { factor: 1.0 }),
    ]
}

fn operators() -> impl Strategy<Value = Operator> {
    use Operator::*;
    prop::sample::select(vec![Greater, GreaterOrEqual, Less, LessOrEqual, Equal, NotEqual])
}

fn expressions() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        (metrics(), operators(), others(), any::<bool>()).prop_map(|(metric, operator, other, is_turned)| {
            let (left, right) = if is_turned { (other, metric) } else { (metric, other) };
            Expression::Compare { left, operator, right }
        }),
        "[^\u{0}]{1,12}".prop_map(Expression::Alert),
        names().prop_map(Expression::Fact),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        (inner.clone(), inner, any::<bool>()).prop_map(|(left, right, is_and)| {
            let (left, right) = (Box::new(left), Box::new(right));
            if is_and { Expression::And(left, right) } else { Expression::Or(left, right) }
        })
    })
}

proptest! {
    #[test]
    fn what_is_displayed_parses_to_the_same_tree(expression in expressions()) {
        prop_assert_eq!(parse(&expression.to_string()).ok(), Some(expression));
    }

    #[test]
    fn any_text_is_parsed_or_refused_at_a_column_inside_of_it(text in ".{0,60}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.offset <= text.chars().count());
        }
    }

    #[test]
    fn any_run_of_words_is_parsed_or_refused(words in prop::collection::vec(
        prop::sample::select(vec!["a", "(", ")", "alert", "\"x\"", "and", "or", ">", "==", "*", "baseline", "1%", "5s", "-2"]),
        0..12,
    )) {
        let text = words.join(" ");
        if let Ok(expression) = parse(&text) {
            prop_assert_eq!(parse(&expression.to_string()), Ok(expression));
        }
    }
}
