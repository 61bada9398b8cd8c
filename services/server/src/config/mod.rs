//! `ripcord.yml`: the only place that reads it.
//!
//! The file is parsed once into nodes that know their place; each section is read strictly by a file of its own;
//! what concerns judging goes to `policy` as text, since the policy is a record on the log. All faults are
//! collected, each with file, line, column and a hint.

mod bus;
mod files;
mod fixed;
mod http_auth;
mod inputs;
mod policy_files;
mod policy_texts;
mod reach;
mod receivers;
mod routing;
mod secrets;
mod server;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use ::bus::BusConfig;
use model::PolicyLoad;
use policy::{
    Diagnostic, Diagnostics, Level, Policy,
    yaml::{Node, Reader},
};
use secrecy::SecretString;

pub(crate) use self::fixed::Fixed;
pub(crate) use self::inputs::{Input, InputFormat, InputStart, Outside};
pub(crate) use self::policy_texts::{policy_hash, says_another_policy};
pub(crate) use self::server::{Hooks, ServerConfig, ServerPlace};

/// Everything that is configured, checked.
pub(crate) struct Config {
    /// The main file; `None`: built-in defaults.
    pub(crate) path: Option<PathBuf>,
    /// Every file that was read, and every folder whose files were: what to watch for changes.
    pub(crate) files: Vec<PathBuf>,
    /// Policy files that are not in force as they stand on disk.
    pub(crate) faulty_policy_files: BTreeSet<String>,
    pub(crate) server: ServerConfig,
    pub(crate) hooks: Hooks,
    pub(crate) bus: BusConfig,
    pub(crate) outside: Outside,
    pub(crate) policy: Policy,
    /// As the files say it, secrets included.
    pub(crate) policy_load: PolicyLoad,
    /// As the log gets it.
    pub(crate) logged_policy: PolicyLoad,
    pub(crate) routing: ::router::Config,
    pub(crate) receivers: ::receivers::Config,
    /// Secrets of targets, by the file as the policy names it.
    pub(crate) secrets: BTreeMap<String, SecretString>,
    warnings: Vec<Diagnostic>,
    /// What each owner gets, a line each.
    owners: Vec<String>,
    /// Where the data are kept instead of where the file says.
    pub(crate) moved_to: Option<PathBuf>,
}

impl Config {
    /// Keeps the data somewhere else than the file says.
    pub(crate) fn move_data_dir(&mut self, data_dir: &Path) {
        self.server.data_dir = data_dir.to_owned();
        self.moved_to = Some(data_dir.to_owned());
        match &mut self.bus {
            BusConfig::Embedded(embedded) => data_dir.clone_into(&mut embedded.dir),
            // What is kept here is the operator's token and the `HALT` file.
            BusConfig::Kafka(_) => {}
        }
    }

    /// What holds for as long as the process runs.
    pub(crate) fn fixed(&self) -> Fixed {
        Fixed::of(&self.server, &self.bus, &self.outside)
    }

    /// What is accepted but should be looked at.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.warnings.iter()
    }
}

/// What concerns judging.
pub(crate) struct PolicyOfFiles {
    pub(crate) load: PolicyLoad,
    pub(crate) faulty_policy_files: BTreeSet<String>,
}

/// Why a file is not accepted.
#[derive(Debug)]
pub(crate) struct ConfigErrors(Vec<Diagnostic>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{diagnostic}")?;
        }
        Ok(())
    }
}

/// All that was found, in the order of the file.
#[derive(Debug)]
pub(crate) struct CheckReport {
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What each owner gets.
    pub(crate) owners: Vec<String>,
    /// What is right and good to have in mind.
    pub(crate) notes: Vec<String>,
}

/// What the files are read for, which decides what a mistake in a team's file costs.
#[derive(Clone, Copy)]
enum Purpose<'a> {
    /// To report what is wrong: a team's mistake is an error like any other.
    Check,
    /// To start: a team's mistake costs that team's file.
    Start,
    /// To put changes into force: what a faulty file says in this load, the one in force, goes on holding.
    Reload(&'a PolicyLoad),
}

impl Purpose<'_> {
    fn is_check(self) -> bool {
        matches!(self, Self::Check)
    }
}

/// Reads and checks; warnings do not keep a file from being accepted.
pub(crate) fn load(path: Option<&Path>) -> Result<Config, ConfigErrors> {
    load_keeping(path, None)
}

/// As [`load`], for a reload: a policy file with an error keeps what it says in `last`, the load in force.
pub(crate) fn load_keeping(path: Option<&Path>, last: Option<&PolicyLoad>) -> Result<Config, ConfigErrors> {
    let (config, diagnostics) = read(path, last.map_or(Purpose::Start, Purpose::Reload));
    let is_error = |it: &Diagnostic| it.level == Level::Error;
    match config {
        Some(mut config) if !diagnostics.iter().any(is_error) => {
            config.warnings = diagnostics;
            Ok(config)
        }
        _ => Err(ConfigErrors(diagnostics.into_iter().filter(is_error).collect())),
    }
}

/// Everything that can be said about a file.
pub(crate) fn check(path: &Path) -> CheckReport {
    let (config, diagnostics) = read(Some(path), Purpose::Check);
    let notes = config.as_ref().map(|config| notes(&config.policy)).unwrap_or_default();
    CheckReport { diagnostics, owners: config.map(|config| config.owners).unwrap_or_default(), notes }
}

/// Of each metric that triggers read and nobody defined, what has to come in for them to see anything.
fn notes(policy: &Policy) -> Vec<String> {
    let note = |(name, counted): (&str, &str)| {
        format!(
            "note: triggers read `{name}`, which no `metrics` defines: its built-in definitions count {counted}; \
             `ripcord discover` shows whether a service sends any of them"
        )
    };
    policy.built_in_only().into_iter().map(note).collect()
}

/// Where the server of a configuration is found; nothing else of the file is judged.
pub(crate) fn place(path: Option<&Path>) -> Result<ServerPlace, ConfigErrors> {
    let diagnostics = Diagnostics::default();
    let read = || {
        let mut files = files::Files::new(path);
        let (name, text) = files.main(&diagnostics)?;
        let node = parse(&name, &text, &diagnostics)?;
        let mut top = Reader::open(&node, "the file", &diagnostics)?;
        Some(server::read_place(&mut top, &files))
    };
    let place = read();
    let faults: Vec<_> = diagnostics.into_vec().into_iter().filter(|it| it.level == Level::Error).collect();
    place.filter(|_| faults.is_empty()).ok_or(ConfigErrors(faults))
}

/// The policy of a configuration; the server's sections are not judged, nor is a secret read.
pub(crate) fn policy(path: &Path) -> Result<PolicyOfFiles, ConfigErrors> {
    let diagnostics = Diagnostics::default();
    let read = || {
        let mut files = files::Files::new(Some(path));
        let (name, text) = files.main(&diagnostics)?;
        let node = parse(&name, &text, &diagnostics)?;
        let mut top = Reader::open(&node, "the file", &diagnostics)?;
        policy_texts::compile(&mut top, &name, &text, &mut files, Purpose::Start)
    };
    let compiled = read();
    let faults: Vec<_> = diagnostics.into_vec().into_iter().filter(|it| it.level == Level::Error).collect();
    match compiled {
        Some(compiled) if faults.is_empty() => {
            Ok(PolicyOfFiles { load: compiled.load, faulty_policy_files: compiled.faulty })
        }
        _ => Err(ConfigErrors(faults)),
    }
}

fn read(path: Option<&Path>, purpose: Purpose<'_>) -> (Option<Config>, Vec<Diagnostic>) {
    let diagnostics = Diagnostics::default();
    let config = read_into(path, purpose, &diagnostics);
    (config, diagnostics.into_vec())
}

fn read_into(path: Option<&Path>, purpose: Purpose<'_>, diagnostics: &Diagnostics) -> Option<Config> {
    let mut files = files::Files::new(path);
    let (name, text) = files.main(diagnostics)?;
    let node = parse(&name, &text, diagnostics)?;
    expect_known_sections(&node, diagnostics);
    let mut top = Reader::open(&node, "the file", diagnostics)?;
    let server = server::read_server(&mut top, &mut files);
    let hooks = server::read_hooks(&mut top, &mut files);
    let (bus, outside) = bus::read(&mut top, &server, &mut files);
    server::expect_tokens_off_loopback(&server, &node, diagnostics);
    server::warn_of_a_proxy_without_tokens(&server, &node, diagnostics);
    let compiled = policy_texts::compile(&mut top, &name, &text, &mut files, purpose);
    let routed = routing::read(&mut top, &mut files, compiled.is_none());
    reach::warn_of_placeholders(&node, diagnostics);
    let (compiled, (routing, mut receivers)) = (compiled?, routed?);
    let policy_texts::Compiled { policy, load: policy_load, logged: logged_policy, faulty } = compiled;
    server::warn_of_missing_approvers(&server, &policy, &node, diagnostics);
    receivers.external_url = server.external_url.clone().unwrap_or(receivers.external_url);
    let reach =
        reach::Reach { node: &node, policy: &policy, routing: &routing, receivers: &receivers, diagnostics };
    let owners = reach.report();
    inputs::expect_brokers_for_targets(&policy, &outside, &node, diagnostics);
    let secrets = secrets::of_targets(&policy, &mut files, &node, diagnostics);
    Some(Config {
        path: path.map(Path::to_owned),
        files: files.seen(),
        faulty_policy_files: faulty,
        server,
        hooks,
        bus,
        outside,
        policy,
        policy_load,
        logged_policy,
        routing,
        receivers,
        secrets,
        warnings: Vec::new(),
        owners,
        moved_to: None,
    })
}

/// YAML to nodes; faults are reported.
fn parse(name: &str, text: &str, diagnostics: &Diagnostics) -> Option<Node> {
    match policy::yaml::parse(name, text) {
        Ok(node) => Some(node),
        Err(faults) => {
            faults.into_iter().for_each(|fault| diagnostics.add(fault));
            None
        }
    }
}

fn expect_known_sections(node: &Node, diagnostics: &Diagnostics) {
    let known: Vec<&str> = policy::SERVER_SECTIONS.into_iter().chain(policy::POLICY_SECTIONS).collect();
    for entry in node.entries().unwrap_or_default() {
        let name = entry.key.name.as_str();
        if !policy::SERVER_SECTIONS.contains(&name) && !policy::is_policy_section(entry) {
            let hint = policy::diagnostic::suggest(name, &known);
            diagnostics.error_hint(&entry.key, format!("unknown key `{name}`"), hint);
        }
    }
}
