//! Which services a policy holds for.

use expect_test::expect;

use super::{accepted, check};

const TRIGGER: &str = "alerts: [ { name: a, condition: error_rate > 1%, action: hold } ]\n";

#[test]
fn a_match_is_a_name_a_list_of_names_or_an_expression_and_the_most_exact_wins() {
    let policy = accepted(&format!(
        "{TRIGGER}{}",
        r#"
policies:
  - { match: { service: checkout }, owner: { team: name } }
  - { match: { service: [checkout, cart] }, owner: { team: list } }
  - { match: { service: { regex: "c.*" } }, owner: { team: expression } }
  - { match: { environment: { regex: "prod-.+" }, service: { regex: search } }, owner: { team: both } }
  - { match: { environment: [staging, test] }, owner: { team: environment } }
"#
    ));
    for (service, environment, team) in [
        ("checkout", "production", Some("name")),
        ("cart", "production", Some("list")),
        ("catalog", "production", Some("expression")),
        ("catalog", "staging", Some("expression")),
        ("precatalog", "staging", Some("environment")),
        ("search", "prod-eu", Some("both")),
        ("search", "production", None),
    ] {
        let owner = policy.effective(service, environment).owner;
        assert_eq!(owner.team.as_deref(), team, "{service} in {environment}");
    }
}

#[test]
fn a_name_that_looks_like_a_pattern_is_pointed_out_with_the_right_spelling() {
    check(
        &format!(
            "{TRIGGER}{}",
            r#"
policies:
  - match: { service: "check.*" }
  - match: { service: "check*", environment: "~prod.+" }
  - match: { service: "cart|checkout" }
  - match: { service: "cart, checkout" }
  - match: { service: ["cart", "^check-(a|b)$"] }
  - match: { service: "a.b/c-d_e" }
freezes:
  - { match: { cluster: "eu-?" }, rollback: deny }
"#
        ),
        expect![[r#"
            ripcord.yml:4:23: warning: `check.*` is compared to the letter: it seems to be a pattern, and matches no service
              hint: write service: { regex: "check.*" }
            ripcord.yml:5:23: warning: `check*` is compared to the letter: it seems to be a pattern, and matches no service
              hint: write service: { regex: "check.*" }
            ripcord.yml:5:46: warning: `~prod.+` is compared to the letter: it seems to be a pattern, and matches no environment
              hint: write environment: { regex: "prod.+" }
            ripcord.yml:6:23: warning: `cart|checkout` is compared to the letter: it seems to be a pattern, and matches no service
              hint: write service: [cart, checkout]
            ripcord.yml:7:23: warning: `cart, checkout` is compared to the letter: it seems to be a pattern, and matches no service
              hint: write service: [cart, checkout]
            ripcord.yml:8:32: warning: `^check-(a|b)$` is compared to the letter: it seems to be a pattern, and matches no service
              hint: write service: { regex: "check-(a|b)" }
            ripcord.yml:11:25: warning: `eu-?` is compared to the letter: it seems to be a pattern, and matches no cluster
              hint: write cluster: { regex: "eu-." }"#]],
    );
}

#[test]
fn a_match_that_cannot_hold_is_refused() {
    check(
        &format!(
            "{TRIGGER}{}",
            r#"
policies:
  - match: { service: { regex: "check(" } }
  - match: { service: { regexp: "check" } }
  - match: { service: [] }
  - match: { service: [ { regex: "a.*" } ] }
"#
        ),
        expect![[r#"
            ripcord.yml:4:23: error: `check(` is not a regular expression: unclosed group
              hint: write it as in Prometheus: it has to match the whole name, `check.*`
            ripcord.yml:5:23: error: `regex` is missing
            ripcord.yml:5:25: error: unknown key `regexp`
              hint: did you mean `regex`?
            ripcord.yml:6:23: error: `service` is an empty list: it matches nothing
              hint: name some, or leave `service` away to match all
            ripcord.yml:7:25: error: a list for `service` holds names only, found a mapping
              hint: one expression says it all: service: { regex: "checkout|cart-.*" }"#]],
    );
}

#[test]
fn a_static_match_that_is_a_mapping_is_answered_with_the_selector_that_was_meant() {
    check(
        &format!(
            "{TRIGGER}identity: {{ static: [ {{ match: {{ job: legacy, port: 80 }}, set: {{ service: a }} }}, {{ match: [a], set: {{ service: a }} }} ] }}\n"
        ),
        expect![[r#"
            ripcord.yml:2:32: error: `match` must be one series selector, found a mapping
              hint: write match: 'job="legacy",port="80"'
            ripcord.yml:2:91: error: `match` must be one series selector, found a list
              hint: selectors are Prometheus', as one text: target_info, '{__name__=~".+_build_info"}', 'job="legacy"'"#]],
    );
}
