//! Files of teams: what is read of them, and what a mistake in one of them costs.

use std::path::Path;

use policy::Mode;

use super::{with_team, write};
use crate::config::{Config, check, load, load_keeping};

const TEAM: &str = "policies: [ { match: { service: a }, mode: advise } ]\n";

/// What is said of a folder's configuration by `check`, without the folder's name.
fn checked(folder: &Path) -> String {
    let lines: Vec<String> =
        check(&folder.join("ripcord.yml")).diagnostics.iter().map(ToString::to_string).collect();
    lines.join("\n").replace(&format!("{}/", folder.display()), "")
}

fn warnings(config: &Config) -> String {
    config.warnings().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_teams_mistake_stops_its_own_file_and_keeps_it_off_the_log() {
    let (_folder, path) = with_team("receivers: [ { url: inline-secret } ]\npolices: []\n");
    let config = load(Some(&path)).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.policy_load.files.len(), 1);
    assert!(!format!("{:?}", config.policy_load).contains("inline-secret"));
    let warnings: Vec<String> = config.warnings().map(ToString::to_string).collect();
    let warnings = warnings.join("\n");
    assert!(
        warnings.contains("policies/a.yml:2:1: warning: unknown key `polices` (this file is not in force)"),
        "{warnings}"
    );
    assert!(warnings.contains("did you mean `policies`?"), "{warnings}");
}

#[test]
fn on_a_reload_a_teams_mistake_leaves_its_last_good_version_in_force() {
    let (folder, path) = with_team(TEAM);
    let good = load(Some(&path)).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(good.policy.effective("a", "x").mode, Some(policy::Mode::Advise));
    std::fs::write(folder.path().join("policies/a.yml"), "policies: [ { mode: sometimes } ]\n").unwrap();
    let kept = load_keeping(Some(&path), Some(&good.policy_load)).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(kept.policy_load.files, good.policy_load.files);
    assert_eq!(kept.policy.effective("a", "x").mode, Some(policy::Mode::Advise));
    assert!(kept.warnings().any(|warning| warning.message.contains("its last good version stays in force")));
    std::fs::remove_file(folder.path().join("policies/a.yml")).unwrap();
    let gone = load_keeping(Some(&path), Some(&kept.policy_load)).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(gone.policy.effective("a", "x").mode, None);
}

#[test]
fn a_restart_and_check_tell_a_teams_mistake_apart() {
    let (folder, path) = with_team("polices: []\n");
    assert!(load(Some(&path)).is_ok(), "the other teams' policies go on");
    let said = checked(folder.path());
    assert!(said.contains("policies/a.yml:1:1: error: unknown key `polices`"), "{said}");
}

#[test]
fn a_file_that_is_named_and_cannot_be_read_is_an_error_with_its_name() {
    for (what, prepare) in [
        ("missing", &(|_: &Path| {}) as &dyn Fn(&Path)),
        ("a folder", &|file: &Path| std::fs::create_dir(file).unwrap()),
        ("not text", &|file: &Path| std::fs::write(file, [0xff, 0xfe, 0x00]).unwrap()),
        ("too large", &|file: &Path| std::fs::write(file, " ".repeat(5 << 20)).unwrap()),
        ("a link to nothing", &|file: &Path| std::os::unix::fs::symlink("nowhere", file).unwrap()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "policy_files: [ a.yml ]\n");
        prepare(&folder.path().join("a.yml"));
        let said = checked(folder.path());
        assert!(said.contains("ripcord.yml:1:17: error: a.yml "), "{what}: {said}");
        assert!(load(Some(&path)).is_err(), "{what}: Ripcord starts without it");
    }
}

#[test]
fn a_file_that_a_pattern_found_and_that_cannot_be_read_costs_that_file_only() {
    let (folder, path) = with_team(TEAM);
    std::fs::create_dir(folder.path().join("policies/b.yml")).unwrap();
    let config = load(Some(&path)).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.policy.effective("a", "x").mode, Some(Mode::Advise));
    assert!(warnings(&config).contains("b.yml cannot be read"), "{}", warnings(&config));
    assert_eq!(config.faulty_policy_files.len(), 1);
    let said = checked(folder.path());
    assert!(said.contains("error: policies/b.yml cannot be read"), "{said}");
}

#[test]
fn a_pattern_that_matches_nothing_is_pointed_out() {
    for (pattern, said_of_it) in [
        ("teams/*.yml", "warning: `teams/*.yml` matches no file: teams cannot be read"),
        ("policies/*.yaml", "warning: `policies/*.yaml` matches no file"),
        ("*/a.yml", "error: `*/a.yml`: only the name of the file may hold a `*`"),
        ("policies/*.*", "error: `policies/*.*`: only the name of the file may hold a `*`, and only one"),
    ] {
        let (folder, _) = with_team(TEAM);
        write(folder.path(), &format!("policy_files: [ \"{pattern}\" ]\n"));
        let said = checked(folder.path());
        assert!(said.contains(said_of_it), "{pattern}: {said}");
    }
}

#[test]
fn a_file_counts_once_and_hidden_ones_not_at_all() {
    let (folder, _) = with_team(TEAM);
    std::os::unix::fs::symlink("ann@host.1234", folder.path().join("policies/.#a.yml")).unwrap();
    let path = write(folder.path(), "policy_files: [ policies/*.yml, policies/a.yml ]\n");
    let config = load(Some(&path)).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.policy.policies.len(), 1);
    assert!(config.faulty_policy_files.is_empty(), "{}", warnings(&config));
    let watched = folder.path().join("policies");
    assert!(config.files.contains(&watched), "a file that is added is noticed: {:?}", config.files);
}

#[test]
fn on_a_reload_what_cannot_be_read_any_more_goes_on_saying_what_it_said() {
    for (what, files, lose) in [
        (
            "the named file is gone",
            "policies/a.yml",
            &(|folder: &Path| std::fs::remove_file(folder.join("policies/a.yml")).unwrap()) as &dyn Fn(&Path),
        ),
        ("the folder is gone", "policies/*.yml", &|folder: &Path| {
            std::fs::rename(folder.join("policies"), folder.join("elsewhere")).unwrap();
        }),
    ] {
        let (folder, _) = with_team(TEAM);
        let path = write(folder.path(), &format!("policy_files: [ {files} ]\n"));
        let good = load(Some(&path)).unwrap_or_else(|errors| panic!("{errors}"));
        lose(folder.path());
        let kept = load_keeping(Some(&path), Some(&good.policy_load))
            .unwrap_or_else(|errors| panic!("{what}: {errors}"));
        assert_eq!(kept.policy_load.files, good.policy_load.files, "{what}");
        let said = warnings(&kept);
        assert!(said.contains("its last good version stays in force"), "{what}: {said}");
        assert!(!kept.faulty_policy_files.is_empty(), "{what}");
    }
}

#[test]
fn on_a_reload_a_file_that_is_named_for_the_first_time_has_to_be_there() {
    let (_folder, path) = with_team(TEAM);
    let good = load(Some(&path)).unwrap_or_else(|errors| panic!("{errors}"));
    std::fs::write(&path, "policy_files: [ policies/*.yml, search.yml ]\n").unwrap();
    let refused = load_keeping(Some(&path), Some(&good.policy_load)).err().unwrap().to_string();
    assert!(refused.contains("search.yml cannot be read"), "{refused}");
}
