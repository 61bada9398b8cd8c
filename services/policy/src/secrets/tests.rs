//! What of a policy gets onto the log.

use expect_test::expect;

use super::*;
use crate::{HeaderValue, Target, Unresolved, compile};

fn load(text: &str) -> PolicyLoad {
    PolicyLoad { files: vec![("ripcord.yml".to_owned(), text.to_owned())], origin: String::new() }
}

fn clean(text: &str) -> String {
    without_secrets(&load(text)).unwrap().files.remove(0).1
}

#[test]
fn header_values_and_credentials_of_urls_are_taken_out_and_every_line_keeps_its_number() {
    let text = r#"
policies:
  - match: { service: checkout }   # the shop's
    targets:
      - webhook: { url: "https://ci:hunter2@deploy/x?token=hunter2", headers: { X-Key: hunter2, "X-It's": 'hunter2' } }
      - webhook:
          url: https://deploy/ü?token=hunter2
          headers:
            Authorization: "Bearer
              hunter2"
            X-Block: |
              hunter2
            X-Folded: >-
              hunter2
            X-File_file: token.file
  - match: { service: search }
    target: { webhook: { url: https://deploy/plain, headers: { X-Escaped: "hun\ter2", X-Key: &key hunter2 } } }
  - match: { service: cart }
    target: { webhook: { url: https://deploy/plain, headers: { X-Alias: *key } } }
  - match: { service: exec }
    target: { exec: { argv: [undo, "{{to_version}}"] } }
"#;
    expect![[r#"

        policies:
          - match: { service: checkout }   # the shop's
            targets:
              - webhook: { url: 'https://deploy/x?ripcord-withheld', headers: { X-Key: 'ripcord-withheld', "X-It's": 'ripcord-withheld' } }
              - webhook:
                  url: 'https://deploy/ü?ripcord-withheld'
                  headers:
                    Authorization: 'ripcord-withheld'

                    X-Block: |
                      ripcord-withheld
                    X-Folded: >-
                      ripcord-withheld
                    X-File_file: token.file
          - match: { service: search }
            target: { webhook: { url: https://deploy/plain, headers: { X-Escaped: 'ripcord-withheld', X-Key: &key 'ripcord-withheld' } } }
          - match: { service: cart }
            target: { webhook: { url: https://deploy/plain, headers: { X-Alias: *key } } }
          - match: { service: exec }
            target: { exec: { argv: [undo, "{{to_version}}"] } }
    "#]]
    .assert_eq(&clean(text));
    assert_eq!(clean(&clean(text)), clean(text), "nothing is left to take out");
    for untouched in
        ["policies: []\n", "", "policies: [", "policies:\n  - { target: { kafka: { topic: a } } }\n"]
    {
        assert_eq!(clean(untouched), untouched);
    }
}

const WITH_SECRETS: &str =
    "policies: [ { target: { webhook: { url: 'https://u:p@deploy/x', headers: { X-Key: hunter2 } } } } ]\n";

#[test]
fn a_policy_off_the_log_names_the_same_targets_and_can_carry_nothing_out_that_needs_a_secret() {
    let (own, logged) = (load(WITH_SECRETS), without_secrets(&load(WITH_SECRETS)).unwrap());
    let effective = |load: &PolicyLoad| compile(load).0.unwrap().effective("checkout", "production");
    let (own_policy, off_the_log) = (effective(&own), effective(&logged));
    let named = off_the_log.target_refs();
    assert_eq!(own_policy.target_refs(), named);
    assert_eq!(named[0].name, "webhook https://deploy/x");
    assert_eq!(off_the_log.resolve(&named[0]), Err(Unresolved::WithoutSecrets));
    let Ok(Target::Webhook { url, headers, .. }) = own_policy.resolve(&named[0]) else { panic!() };
    assert_eq!(url.expose(), "https://u:p@deploy/x");
    assert_eq!(headers["X-Key"], HeaderValue::Given("hunter2".into()));
    assert!(!format!("{own_policy:?}").contains("hunter2"));
    assert!(!format!("{own_policy:?}").contains("u:p"));
}

#[test]
fn only_a_target_of_the_same_kind_and_name_is_what_a_command_means() {
    let text = "policies: [ { match: { service: checkout }, targets: [ { exec: { argv: [undo, a] } }, { exec: { argv: [undo, b] } } ] } ]\n";
    let policy = compile(&load(text)).0.unwrap();
    let (here, elsewhere) = (policy.effective("checkout", "x"), policy.effective("search", "x"));
    let named = here.target_refs();
    let argv = |named| match here.resolve(named) {
        Ok(Target::Exec { argv, .. }) => argv[1].clone(),
        other => format!("{other:?}"),
    };
    assert_eq!([argv(&named[0]), argv(&named[1])], ["a", "b"]);
    assert_eq!(elsewhere.resolve(&named[0]), Err(Unresolved::Unknown), "another service's");
    let forged = model::TargetRef { name: "exec /bin/sh".into(), ..named[0].clone() };
    assert_eq!(here.resolve(&forged), Err(Unresolved::Unknown), "a program that the file does not name");
    let other_kind = model::TargetRef { kind: model::TargetKind::Webhook, ..named[0].clone() };
    assert_eq!(here.resolve(&other_kind), Err(Unresolved::Unknown), "another kind");
}

#[test]
fn a_policy_off_the_log_gets_the_secrets_of_a_file_that_says_the_same() {
    let logged = without_secrets(&load(WITH_SECRETS)).unwrap();
    assert_eq!(with_own_secrets(&logged, &load(WITH_SECRETS)), load(WITH_SECRETS));
    let other = load(&WITH_SECRETS.replace("deploy", "elsewhere"));
    assert_eq!(with_own_secrets(&logged, &other), logged);
}
