//! The files in `deploy/` are what the README quotes; they have to work as they stand.

use std::{path::Path, process::Command};

use crate::{peers, system::binary};

fn deploy(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

#[test]
fn the_example_configuration_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(deploy("ripcord.yml"), folder.path().join("ripcord.yml")).unwrap();
    for secret in ["webhook.secret", "slack.token"] {
        std::fs::write(folder.path().join(secret), "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0").unwrap();
    }
    let output =
        Command::new(binary()).args(["check", "ripcord.yml"]).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
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
