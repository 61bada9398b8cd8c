//! What `check` says of receivers, owners and links.

use super::{said, write};
use crate::config::{check, load};

const MAIL: &str = "{ to: sre@x.org, from: r@x.org, smarthost: \"localhost:25\", require_tls: false }";

/// A route to one receiver with these integrations.
fn to(integrations: &str, rest: &str) -> String {
    format!(
        "server: {{ external_url: \"https://r.x.org\", tokens: [ {{ name: t, token: long-enough-token, roles: [view] }} ] }}\nroute: {{ receiver: a }}\nreceivers: [ {{ name: a{integrations} }} ]\n{rest}"
    )
}

fn mail(rest: &str) -> String {
    to(&format!(", email_configs: [ {MAIL} ]"), rest)
}

#[test]
fn what_reaches_nobody_is_a_warning_with_its_reason() {
    for (what, text, message) in [
        (
            "an integration that does not act",
            to(", pagerduty_configs: [ { routing_key: x } ]", ""),
            "the receiver \"a\" reaches nobody: none of its integrations acts",
        ),
        (
            "the root's receiver without any",
            to("", ""),
            "the receiver \"a\" reaches nobody: it has no integration",
        ),
        (
            "an owner's channel without Slack",
            mail("policies: [ { match: { service: s }, owner: { slack: \"#pay\" } } ]\n"),
            "the owner's `slack` \"#pay\" reaches nobody",
        ),
        (
            "an owner's address without mail",
            to(
                ", webhook_configs: [ { url: \"http://h/x\" } ]",
                "policies: [ { match: { service: s }, owner: { email: p@x.org } } ]\n",
            ),
            "the owner's `email` \"p@x.org\" reaches nobody",
        ),
        (
            "an owner's address that is none",
            mail("policies: [ { match: { service: s }, owner: { email: \"team b, see wiki\" } } ]\n"),
            "the owner's `email` holds \"see wiki\", which is not an address",
        ),
        (
            "an owner who is mentioned by name",
            to(
                ", slack_configs: [ { app_token: t, channel: \"#a\" } ]",
                "policies: [ { match: { service: s }, owner: { slack: \"#pay\", mention: \"@ann\" } } ]\n",
            ),
            "\"@ann\" is not a mention",
        ),
        (
            "no external URL",
            mail("").replace("external_url: \"https://r.x.org\", ", ""),
            "no `server.external_url`",
        ),
        (
            "an external URL that is none",
            mail("").replace("https://r.x.org", "r.x.org"),
            "`external_url` \"r.x.org\" is not an absolute URL",
        ),
        (
            "a placeholder",
            "policies: [ { match: { service: s }, owner: { team: \"${TEAM}\" } } ]\n".to_owned(),
            "`${TEAM}` stays as it is written",
        ),
    ] {
        let said = said(&text);
        assert!(said.contains("warning") && said.contains(message), "{what}:\n{said}");
        assert!(!said.contains("error:"), "{what}:\n{said}");
    }
}

#[test]
fn what_cannot_work_is_an_error_with_a_hint() {
    let hook = |auth: &str| {
        to(&format!(", webhook_configs: [ {{ url: \"http://h/x\", http_config: {{ {auth} }} }} ]"), "")
    };
    for (what, text, message, hint) in [
        (
            "a receiver almost right",
            "route: { receiver: sree }\nreceivers: [ { name: sre }, { name: other } ]\n".to_owned(),
            "1:20: error: `route` names the receiver `sree`",
            "did you mean `sre`?",
        ),
        (
            "all labels and one more",
            mail("").replace("receiver: a }", "receiver: a, group_by: ['...', x] }"),
            "groups by `...`",
            "",
        ),
        (
            "a mention by name",
            to(", slack_configs: [ { app_token: t, channel: \"#a\", mention: \"@ann\" } ]", ""),
            "\"@ann\" is not a mention",
            "<!channel>",
        ),
        (
            "a recipient that is none",
            mail("").replace("to: sre@x.org", "to: \"sre@x.org, see wiki\""),
            "to holds \"see wiki\"",
            "",
        ),
        (
            "two ways to authorize",
            hook("bearer_token: t, basic_auth: { username: u, password: p }"),
            "exclude each other",
            "keep one",
        ),
        ("basic without a user", hook("basic_auth: { password: p }"), "needs a `username`", ""),
        (
            "basic by hand",
            hook("authorization: { type: Basic, credentials: x }"),
            "username and a password",
            "basic_auth",
        ),
        (
            "exec as a text",
            "policies: [ { match: { service: s }, target: { exec: \"/usr/bin/undo\" } } ]\n".to_owned(),
            "`exec` must be a mapping with `argv`",
            "argv:",
        ),
    ] {
        let said = said(&text);
        assert!(said.contains("error") && said.contains(message) && said.contains(hint), "{what}:\n{said}");
    }
}

#[test]
fn what_reaches_people_is_accepted_without_a_word() {
    for (what, text) in [
        (
            "names with commas",
            mail("").replace("to: sre@x.org", "to: '\"Doe, Jane\" <jane@x.org>, b@x.org,'"),
        ),
        ("a list", mail("").replace("to: sre@x.org", "to: [a@x.org, b@x.org]")),
        (
            "a receiver that swallows on purpose",
            mail("").replace("receivers: [", "receivers: [ { name: nowhere },"),
        ),
        (
            "an owner with both",
            to(
                &format!(", slack_configs: [ {{ app_token: t }} ], email_configs: [ {MAIL} ]"),
                "policies: [ { match: { service: s }, owner: { slack: \"#pay\", email: p@x.org, mention: \"<!here>\" } } ]\n",
            ),
        ),
        (
            "basic_auth",
            to(
                ", webhook_configs: [ { url: \"http://h/x\", http_config: { basic_auth: { username: u, password: p } } } ]",
                "",
            ),
        ),
        (
            "another scheme",
            to(
                ", webhook_configs: [ { url: \"http://h/x\", http_config: { authorization: { type: GenieKey, credentials: p } } } ]",
                "",
            ),
        ),
    ] {
        let said = said(&text);
        let others = said
            .lines()
            .filter(|line| !line.contains("no trigger") && !line.contains("hint: rollback_triggers"));
        assert_eq!(others.collect::<Vec<_>>().join("\n"), "", "{what}");
    }
}

#[test]
fn check_says_what_an_owner_gets() {
    let folder = tempfile::tempdir().unwrap();
    let text = to(
        &format!(", slack_configs: [ {{ app_token: t, channel: \"#a\" }} ], email_configs: [ {MAIL} ]"),
        "policies: [ { match: { service: s }, owner: { slack: \"#pay\", email: p@x.org } } ]\n",
    );
    let report = check(&write(folder.path(), &text));
    assert_eq!(report.owners, ["owner of service=\"s\": Slack #pay (by a), mail to p@x.org (by a)"]);
}

#[test]
fn links_begin_with_the_servers_external_url() {
    let folder = tempfile::tempdir().unwrap();
    let text = mail("global: { external_url: \"https://old.x.org\" }\n");
    let config = load(Some(&write(folder.path(), &text))).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.receivers.external_url, "https://r.x.org");
}
