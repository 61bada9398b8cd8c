//! Real programs.

use std::{collections::BTreeMap, fs, path::Path};

use model::{Outcome, OutcomeStatus};
use policy::Target;

use super::*;
use crate::fixture::{self, GateAfter};

/// Writes a script into `folder` and gives its path. It is handed to `/bin/sh` to be read: to execute a file that
/// was just written fails (`ETXTBSY`) while another test's child still holds its descriptor.
fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("program");
    fs::write(&path, format!("{text}\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn execute(argv: &[&str], timeout: Duration) -> Outcome {
    let target = Target::Exec { argv: argv.iter().map(ToString::to_string).collect(), timeout };
    let actuators = fixture::actuators(vec![]);
    actuators.execute(&fixture::command_at(target), &GateAfter::open()).await.remove(0)
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_program_gets_arguments_environment_and_body_and_its_output_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = "echo \"$# $1 $2\"; env > \"$3/env\"; cat > \"$3/body\"; echo careful >&2";
    let program = script(folder.path(), text);
    let outcome = execute(
        &["/bin/sh", &program, "{{service}} to", "{{to_version}}", folder.path().to_str().unwrap()],
        LONG,
    )
    .await;
    assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Succeeded, 1));
    assert_eq!(outcome.detail, "exit code 0; stderr: careful; stdout: 3 checkout to 2.4.0");

    let body: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("body")).unwrap()).unwrap();
    assert_eq!(body["type"], "ripcord.rollback.v1");
    let env = fs::read_to_string(folder.path().join("env")).unwrap();
    let env: BTreeMap<&str, &str> = env.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!((env["RIPCORD_SERVICE"], env["RIPCORD_TO_VERSION"]), ("checkout", "2.4.0"));
    let shells_own = ["PWD", "SHLVL", "_", "OLDPWD"];
    let foreign: Vec<_> = env
        .keys()
        .filter(|name| {
            !name.starts_with("RIPCORD_") && !INHERITED.contains(name) && !shells_own.contains(name)
        })
        .collect();
    assert!(foreign.is_empty(), "handed on: {foreign:?}");
}

#[tokio::test]
async fn a_program_that_fails_is_told_with_its_code_and_the_end_of_what_it_printed() {
    let folder = tempfile::tempdir().unwrap();
    let noisy = "i=0; while [ $i -lt 3000 ]; do echo 'line after line after line'; i=$((i+1)); done; echo why >&2; exit 3";
    let outcome = execute(&["/bin/sh", &script(folder.path(), noisy)], LONG).await;
    assert_eq!((outcome.status, outcome.attempts), (OutcomeStatus::Failed, 1), "a program is not repeated");
    assert!(outcome.detail.starts_with("exit code 3; stderr: why; stdout: "), "{}", outcome.detail);
    assert!(outcome.detail.ends_with("line after line after line"), "{}", outcome.detail);
    assert!(outcome.detail.len() < 700);
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_everything_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let text = "echo started; sleep 300 & echo $! > \"$1/pid\"; wait";
    let outcome = execute(
        &["/bin/sh", &script(folder.path(), text), folder.path().to_str().unwrap()],
        Duration::from_millis(300),
    )
    .await;
    assert_eq!(outcome.status, OutcomeStatus::Failed);
    assert_eq!(outcome.detail, "killed, since it did not end within 300ms; stdout: started");
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    let state = || fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // Who reaps an orphan, and when, is the machine's business: a zombie is dead enough.
    let is_gone = |stat: &str| stat.is_empty() || stat.contains(") Z ");
    for _ in 0..1000 {
        if is_gone(&state()) {
            return;
        }
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("the grandchild lives on: {}", state());
}

#[tokio::test]
async fn a_background_process_that_keeps_the_output_open_does_not_hold_the_outcome_up() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = execute(&["/bin/sh", &script(folder.path(), "sleep 5 & echo done")], LONG).await;
    assert_eq!(
        (outcome.status, outcome.detail.as_str()),
        (OutcomeStatus::Succeeded, "exit code 0; stdout: done")
    );
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_failure_that_names_it() {
    let outcome = execute(&["/nonexistent/rollback"], LONG).await;
    assert_eq!(outcome.status, OutcomeStatus::Failed);
    assert!(outcome.detail.starts_with("/nonexistent/rollback cannot be run: "), "{}", outcome.detail);
}

#[tokio::test]
async fn nothing_is_expanded_by_a_shell() {
    let outcome = execute(&["echo", "$HOME", "a;echo b", "`id`", "*"], LONG).await;
    assert_eq!(outcome.detail, "exit code 0; stdout: $HOME a;echo b `id` *");
}
