//! Cutting the policy out of a whole `ripcord.yml`.

use expect_test::expect;

use super::shown;
use crate::policy_sections;

#[test]
fn only_policy_sections_are_kept_and_each_line_keeps_its_number() {
    let text = r#"# the shop's ripcord.yml
server:
  tokens: [ { name: ci, token: s3cret } ]   # a secret
alerts:
  # a comment inside
  - { name: a, condition: error_rate > 1%, action: hold }

# receivers of old:
# password: hunter2
receivers:
  - name: sre
    slack_configs: [ { api_url: https://hooks/secret } ]
my_stage:
  quality_gates: [ a ]
unknown: { token: oops }
deployment: { strategy: canary }
"#;
    expect![[r#"



        alerts:
          # a comment inside
          - { name: a, condition: error_rate > 1%, action: hold }






        my_stage:
          quality_gates: [ a ]

        deployment: { strategy: canary }
    "#]]
    .assert_eq(&policy_sections("ripcord.yml", text).unwrap());
}

#[test]
fn line_breaks_of_every_kind_count_alike() {
    let kept = policy_sections("f.yml", "server: x\r\nalerts:\r\n - a\rstorm: {}\nbus: y\n").unwrap();
    assert_eq!(kept, "\nalerts:\n - a\nstorm: {}\n");
}

#[test]
fn nothing_is_cut_from_nothing() {
    assert_eq!(policy_sections("f.yml", "").unwrap().trim(), "");
    assert_eq!(policy_sections("f.yml", "server: {}\n").unwrap().trim(), "");
}

#[test]
fn what_cannot_be_cut_by_lines_is_refused() {
    for (text, expected) in [
        (
            "{ server: {}, alerts: [] }",
            expect!["ripcord.yml:1:15: error: `alerts` must begin a line of its own at the top level"],
        ),
        (
            "server: &s { a: b }\ndashboard: *s\n",
            expect![[r#"
            ripcord.yml:2:12: error: not YAML: while parsing node, found unknown anchor
              hint: the policy is kept apart from the server's sections: define the anchors it uses inside of it"#]],
        ),
        (
            "x: &x { alerts: [] }\n<<: *x\n",
            expect!["ripcord.yml:1:9: error: `alerts` must begin a line of its own at the top level"],
        ),
        ("- a\n", expect!["ripcord.yml:1:1: error: the file must be a mapping"]),
        (
            "a: [\n",
            expect![
                "ripcord.yml:2:1: error: not YAML: while parsing a node, did not find expected node content"
            ],
        ),
    ] {
        expected.assert_eq(&shown(&policy_sections("ripcord.yml", text).unwrap_err()));
    }
}
