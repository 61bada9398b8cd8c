//! The files in `deploy/` are what the README quotes; they have to work as they stand.

use std::{collections::BTreeSet, path::Path, process::Command};

use policy::yaml::Node;

use crate::{peers, system::binary};

fn deploy(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

#[test]
fn the_example_configurations_are_accepted() {
    for name in ["ripcord.yml", "ripcord-container.yml", "ripcord-kafka.yml"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(deploy(name), folder.path().join(name)).unwrap();
        for secret in ["webhook.secret", "slack.token", "cluster.key"] {
            std::fs::write(folder.path().join(secret), "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0").unwrap();
        }
        for token in ["prometheus", "ci", "operator"] {
            let secret = format!("{token}-0123456789abcdef0123456789abcdef");
            std::fs::write(folder.path().join(format!("{token}.token")), secret).unwrap();
        }
        let output =
            Command::new(binary()).args(["check", name]).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {said}");
    }
}

#[test]
fn every_example_configuration_has_the_same_policies_and_routes() {
    let policies = |name: &str| {
        let text = std::fs::read_to_string(deploy(name)).unwrap();
        text[text.find("\nmetrics:").unwrap()..].to_owned()
    };
    for name in ["ripcord-container.yml", "ripcord-kafka.yml"] {
        assert_eq!(policies(name), policies("ripcord.yml"), "deploy/{name}");
    }
}

fn parsed(name: &str) -> Node {
    let text = std::fs::read_to_string(deploy(name)).unwrap();
    policy::yaml::parse(name, &text).unwrap_or_else(|faults| panic!("deploy/{name}: {faults:?}"))
}

fn text<'a>(node: &'a Node, key: &str) -> &'a str {
    node.get(key).and_then(Node::text).unwrap_or_default()
}

fn items<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    node.get(key).and_then(Node::items).unwrap_or_default()
}

/// Each service that runs the binary.
fn services(compose: &str) -> Vec<Node> {
    let file = parsed(compose);
    let services = file.get("services").and_then(Node::entries).unwrap();
    let ours =
        services.iter().map(|entry| &entry.value).filter(|service| text(service, "image") == "ripcord");
    ours.cloned().collect()
}

#[test]
fn compose_starts_known_roles_and_together_they_are_all() {
    const ROLES: [&str; 5] = ["ingest", "analyze", "act", "notify", "console"];
    let mut started = BTreeSet::new();
    for service in services("compose-kafka.yml") {
        let command: Vec<_> = items(&service, "command").iter().filter_map(Node::text).collect();
        let Some(at) = command.iter().position(|word| *word == "--roles") else {
            assert_eq!(command[..2], ["topics", "create"], "a service without roles serves all of them");
            continue;
        };
        for role in command[at + 1].split(',') {
            assert!(ROLES.contains(&role), "no role is called {role:?}");
            started.insert(role.to_owned());
        }
    }
    assert_eq!(started.len(), ROLES.len(), "{started:?}");
}

#[test]
fn compose_mounts_files_that_are_there_and_every_secret_that_the_configuration_names() {
    for (compose, config) in
        [("compose.yml", "ripcord-container.yml"), ("compose-kafka.yml", "ripcord-kafka.yml")]
    {
        let secrets = secret_files(&parsed(config));
        assert!(secrets.len() >= 5, "{config}: {secrets:?}");
        let file = parsed(compose);
        let defined = file.get("secrets").and_then(Node::entries).unwrap();
        for service in services(compose) {
            let mounts = items(&service, "volumes");
            let binds: Vec<_> = mounts.iter().filter(|mount| text(mount, "type") == "bind").collect();
            for bind in &binds {
                assert!(deploy(text(bind, "source")).is_file(), "{compose} mounts {}", text(bind, "source"));
            }
            let configs = binds.iter().filter(|bind| text(bind, "target") == "/etc/ripcord/ripcord.yml");
            assert!(
                configs.map(|bind| text(bind, "source")).eq([format!("./{config}").as_str()]),
                "{compose}: the configuration is not {config}"
            );
            let mounted: BTreeSet<_> = items(&service, "secrets")
                .iter()
                .inspect(|secret| {
                    let source = text(secret, "source");
                    assert!(defined.iter().any(|entry| entry.key.name == source), "{compose}: no {source}");
                })
                .map(|secret| text(secret, "target").to_owned())
                .collect();
            let wanted: BTreeSet<_> = secrets.iter().map(|name| format!("/etc/ripcord/{name}")).collect();
            assert_eq!(mounted, wanted, "{compose}");
        }
    }
}

/// What every key that ends in `_file` names.
fn secret_files(node: &Node) -> BTreeSet<String> {
    let of_entries = node.entries().unwrap_or_default().iter().flat_map(|entry| {
        let named = entry.value.text().filter(|_| entry.key.name.ends_with("_file")).map(str::to_owned);
        named.into_iter().chain(secret_files(&entry.value))
    });
    of_entries.chain(node.items().unwrap_or_default().iter().flat_map(secret_files)).collect()
}

#[test]
fn prometheus_and_alertmanager_accept_the_snippets() {
    if !peers::has("promtool") || !peers::has("amtool") {
        return;
    }
    let checked =
        Command::new("promtool").args(["check", "config"]).arg(deploy("prometheus.yml")).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let checked =
        Command::new("amtool").arg("check-config").arg(deploy("alertmanager.yml")).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn the_readme_quotes_the_files_as_they_are() {
    let readme = std::fs::read_to_string(deploy("../README.md")).unwrap();
    for name in ["prometheus.yml", "alertmanager.yml", "otel-collector.yml", "ci-job.sh"] {
        let file = std::fs::read_to_string(deploy(name)).unwrap();
        let lines = file.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        for line in lines {
            assert!(readme.contains(line), "README.md does not quote this line of deploy/{name}: {line}");
        }
    }
}
