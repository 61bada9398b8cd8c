//! The exec target: a program of the operator's own, run with an argument list and the command's body on standard
//! input. Never a shell; of the environment only `PATH` and `HOME` are handed on.

mod argv;
mod output;
#[cfg(test)]
mod tests;

use std::{process::Stdio, time::Duration};

use model::Command;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin},
};

pub use self::argv::{ArgvError, NAMES, check};
use crate::{
    body,
    retry::Failure,
    text::{MAX_BODY_CHARS, one_line},
};

/// How long after a program's end its output may still come: a background process that it left behind can hold
/// the pipe open for ever.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);

/// What is handed on of our own environment: enough to find programs and their configuration.
const INHERITED: [&str; 2] = ["PATH", "HOME"];

/// Kills the program's whole process group unless it ended; also when the attempt is dropped.
struct Group {
    id: Option<Pid>,
}

impl Group {
    fn kill(&mut self) {
        if let Some(id) = self.id.take()
            && let Err(error) = kill_process_group(id, Signal::KILL)
        {
            // It may have ended in this moment, then there is nothing left to kill.
            tracing::debug!(%error, "a process group was not killed");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the program printed.
#[derive(Default)]
struct Output {
    out: Vec<u8>,
    err: Vec<u8>,
}

/// Runs the program once. It is not retried: a program that failed half-way may not be repeatable, and knows
/// better than we do how to retry.
pub(crate) async fn run(arguments: &[String], command: &Command, limit: Duration) -> Result<String, Failure> {
    let arguments = argv::expand(arguments, command).map_err(|error| Failure::last(error.to_string()))?;
    let body = body::render(command).map_err(|error| Failure::last(error.to_string()))?;
    let mut child = spawn(&arguments, command)
        .map_err(|error| Failure::last(format!("{} cannot be run: {error}", arguments[0])))?;
    let mut group = Group { id: child.id().and_then(|id| Pid::from_raw(id.cast_signed())) };
    let mut output = Output::default();
    let ended = tokio::time::timeout(limit, converse(&mut child, body, &mut output)).await;
    let Ok(status) = ended else {
        group.kill();
        drop(child.wait().await);
        return Err(Failure::last(told(&format!("killed, since it did not end within {limit:?}"), &output)));
    };
    group.id = None;
    match status {
        Ok(status) if status.success() => Ok(told("exit code 0", &output)),
        Ok(status) => {
            let how = status.code().map_or(status.to_string(), |code| format!("exit code {code}"));
            Err(Failure::last(told(&how, &output)))
        }
        Err(error) => Err(Failure::last(told(&format!("its end is unknown: {error}"), &output))),
    }
}

fn spawn(arguments: &[String], command: &Command) -> std::io::Result<Child> {
    let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    tokio::process::Command::new(&arguments[0])
        .args(&arguments[1..])
        .env_clear()
        .envs(inherited)
        .envs(environment(command))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// `RIPCORD_*`; values without NUL bytes, which no environment can hold.
fn environment(command: &Command) -> Vec<(&'static str, String)> {
    let release = &command.release;
    let text = |value: &str| value.replace('\0', "");
    vec![
        ("RIPCORD_COMMAND", text(command.id.as_str())),
        ("RIPCORD_VERB", command.verb.as_str().to_owned()),
        ("RIPCORD_MODE", command.mode.as_str().to_owned()),
        ("RIPCORD_SERVICE", text(&release.key.service)),
        ("RIPCORD_ENVIRONMENT", text(&release.key.environment)),
        ("RIPCORD_CLUSTER", text(release.cluster.as_deref().unwrap_or_default())),
        ("RIPCORD_RELEASE", text(release.id.as_str())),
        ("RIPCORD_VERSION", text(&release.version)),
        ("RIPCORD_TO_VERSION", text(command.to_version.as_deref().unwrap_or_default())),
        ("RIPCORD_TO_DIGEST", text(command.to_digest.as_deref().unwrap_or_default())),
        ("RIPCORD_FENCING", command.fencing.to_string()),
        ("RIPCORD_DEADLINE", command.deadline.to_string()),
    ]
}

/// Feeds and listens until the program ends.
async fn converse(
    child: &mut Child,
    body: Vec<u8>,
    output: &mut Output,
) -> std::io::Result<std::process::ExitStatus> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let talk = async {
        tokio::join!(
            feed(stdin, &body),
            async {
                if let Some(stdout) = stdout {
                    output::read_tail(stdout, &mut output.out).await;
                }
            },
            async {
                if let Some(stderr) = stderr {
                    output::read_tail(stderr, &mut output.err).await;
                }
            },
        );
    };
    tokio::pin!(talk);
    tokio::select! {
        () = &mut talk => child.wait().await,
        status = child.wait() => {
            drop(tokio::time::timeout(OUTPUT_GRACE, talk).await);
            status
        }
    }
}

async fn feed(stdin: Option<ChildStdin>, body: &[u8]) {
    if let Some(mut stdin) = stdin {
        // A program need not read what it is told.
        drop(stdin.write_all(body).await);
    }
}

/// How it ended and the end of what it printed, errors first since they say more.
fn told(how: &str, output: &Output) -> String {
    let mut told = how.to_owned();
    for (name, bytes) in [("stderr", &output.err), ("stdout", &output.out)] {
        let text = String::from_utf8_lossy(bytes);
        let skipped = text.chars().count().saturating_sub(MAX_BODY_CHARS);
        let tail = one_line(&text.chars().skip(skipped).collect::<String>(), MAX_BODY_CHARS);
        if !tail.is_empty() {
            told.push_str(&format!("; {name}: {tail}"));
        }
    }
    told
}
