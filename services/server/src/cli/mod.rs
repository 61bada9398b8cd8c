//! The command line: one verb a file, exit codes of DESIGN section 6.

mod backup;
mod check;
mod client;
mod dead_letters;
mod discover;
mod event;
mod list;
pub(crate) mod output;
mod people;
mod policy;
mod release;
mod routes;
mod serve;
mod topics;
mod yaml;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

pub(crate) use client::Client;

/// Watches every deployment, and pulls back the release that breaks its limits.
#[derive(Debug, Parser)]
#[command(
    name = "ripcord",
    version,
    about,
    after_help = "Start with `ripcord demo`, then `ripcord check ripcord.yml` and `ripcord serve --config ripcord.yml`."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the service.
    Serve(serve::ServeArgs),
    /// Check a configuration file: exit 0 when it is good, 78 when it is not.
    Check(check::CheckArgs),
    /// Watch Ripcord save a small shop from a bad release, on loopback, in about a minute.
    Demo(crate::demo::DemoArgs),
    /// Announce a release, look at it, wait for its verdict.
    #[command(subcommand)]
    Release(release::ReleaseVerb),
    /// Publish CloudEvents from a file or standard input.
    Event(event::EventArgs),
    /// Show or test where notices go.
    #[command(subcommand)]
    Routes(routes::RoutesVerb),
    /// Show the policy that holds for a service.
    #[command(subcommand)]
    Policy(policy::PolicyVerb),
    /// List services, environments and versions seen, and series that could not be placed.
    Discover(ServerArgs),
    /// List what is in force and what waits: halts, bad versions, commands, releases.
    #[command(subcommand)]
    List(list::ListVerb),
    /// Stop all automatic action for a while.
    Halt(people::HaltArgs),
    /// End a halt.
    Unhalt(people::UnhaltArgs),
    /// Approve a prepared command.
    Approve(people::ApproveArgs),
    /// Reject a prepared command.
    Reject(people::CommandArgs),
    /// Roll a release back now.
    Rollback(people::RollbackArgs),
    /// Ask for a release's promotion. Nothing executes it yet: exit 1 says so, and people are told.
    Promote(people::ReleaseArgs),
    /// Ask to hold a release at its stage. Nothing executes it yet: exit 1 says so, and people are told.
    Hold(people::ReleaseArgs),
    /// Stop watching a release.
    Cancel(people::ReleaseArgs),
    /// Make or check the topics of a log on Kafka.
    #[command(subcommand)]
    Topics(topics::TopicsVerb),
    /// Look at what could not be read, and send it again.
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersVerb),
    /// Copy the data directory while the server runs.
    Backup(backup::BackupArgs),
    /// Print a completion script.
    Completions { shell: clap_complete::Shell },
}

/// How to reach a server.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// Where Ripcord listens; otherwise what --config says, else http://127.0.0.1:9480.
    #[arg(long, env = "RIPCORD_URL")]
    pub(crate) url: Option<String>,
    /// The server's configuration, where this is its machine: tells its address and its data directory.
    #[arg(long, env = "RIPCORD_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// File with the bearer token to send; otherwise the token in the data directory.
    #[arg(long, env = "RIPCORD_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The server's data directory; otherwise what --config says, else ./data.
    #[arg(long, env = "RIPCORD_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: output::Output,
}

/// Runs the verb; the process ends with what this returns.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().verb {
        Verb::Serve(args) => serve::run(args),
        Verb::Check(args) => check::run(&args),
        Verb::Demo(args) => block_on(crate::demo::run(args)),
        Verb::Release(verb) => block_on(release::run(verb)),
        Verb::Event(args) => block_on(event::run(args)),
        Verb::Routes(verb) => routes::run(&verb),
        Verb::Policy(verb) => policy::run(&verb),
        Verb::Discover(args) => block_on(discover::run(args)),
        Verb::List(verb) => block_on(list::run(verb)),
        Verb::Halt(args) => block_on(people::halt(args)),
        Verb::Unhalt(args) => block_on(people::unhalt(args)),
        Verb::Approve(args) => block_on(people::approve(args)),
        Verb::Reject(args) => block_on(people::reject(args)),
        Verb::Rollback(args) => block_on(people::rollback(args)),
        Verb::Promote(args) => block_on(people::release(args, "promote")),
        Verb::Hold(args) => block_on(people::release(args, "hold")),
        Verb::Cancel(args) => block_on(people::release(args, "cancel")),
        Verb::Topics(verb) => block_on(topics::run(verb)),
        Verb::DeadLetters(verb) => block_on(dead_letters::run(verb)),
        Verb::Backup(args) => backup::run(&args),
        Verb::Completions { shell } => completions(shell),
    }
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    use clap::CommandFactory as _;
    clap_complete::generate(shell, &mut Cli::command(), "ripcord", &mut std::io::stdout());
    ExitCode::SUCCESS
}

fn block_on(verb: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(verb));
    match result {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("{error:#}"));
            error
                .downcast_ref::<client::ClientError>()
                .map_or(ExitCode::FAILURE, client::ClientError::exit_code)
        }
    }
}
