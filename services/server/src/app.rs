//! Start and stop: everything is checked and opened first, then the roles start in flow order; they stop in the
//! same order under one deadline.

use std::{
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actuators::Actuators;
use anyhow::Context as _;
use arbiter::Chair;
use arc_swap::ArcSwap;
use bus::{Bus, BusConfig, Share};
use console::SharedProjection;
use ingest::{Auth, Ingest, Refusals};
use model::{EventBody, Partition, PolicyLoad};
use prometheus::Registry;
use receivers::Receivers;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{self, OperatorToken},
    config::{self, Config, Fixed},
    connections::Connections,
    handover::Handover,
    http, installation, parameters,
    placing::Placing,
    ports::{BusSink, KafkaPublisher, OwnTargets, ProjectionLookup, Secrets},
    readiness::Readiness,
    role::Roles,
    roles::{
        act::ActRole,
        analyze::AnalyzeRole,
        arbitrate::{ArbiterMetrics, ArbitrateRole},
        ask::{Asker, Judges},
        checkpoints::{self, CheckpointMetrics, CheckpointWriter},
        fit::Fitting,
        follow::Followed,
        halt_file,
        inlet::{InletMetrics, InletRole},
        keep::{KeepMetrics, say_taken_over},
        member::Member,
        notify::{NotifyRole, Teller},
        records::Poison,
        restore::keep_positions,
        scrutiny::Scrutiny,
        shadow::{Parts, Shadows},
        tick, vetting,
        writer::EventWriter,
    },
    state_metrics::StateMetrics,
    statistics::{LogGauges, watch_brokers},
    text::chain,
};

/// How long a stop may take in all; what is unfinished then is named in the log and taken up at the next start.
const STOP_DEADLINE: Duration = Duration::from_secs(25);

/// How often the configuration's files are looked at for changes.
const WATCH_PERIOD: Duration = Duration::from_secs(5);

/// Pause before the policy is offered again to a log that cannot write.
const POLICY_RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Ripcord did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Something the operator has to put right; exit 78.
    #[error("{0}")]
    Config(String),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl StartError {
    pub(crate) fn is_config(&self) -> bool {
        matches!(self, Self::Config(_))
    }
}

/// A reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// Not retryable until a file changes.
    #[error("{0}")]
    Config(String),
    /// Retryable: the policy is in force only once it stands on the log.
    #[error("the policy cannot be put onto the log: {0}")]
    Log(#[from] bus::AppendError),
}

impl ReloadError {
    fn config(error: impl std::fmt::Display) -> Self {
        Self::Config(error.to_string())
    }
}

/// A reload put something into force.
struct Reloaded {
    /// What of the files is not in force, and what should be looked at.
    warnings: Vec<String>,
    /// Whether every policy file is in force as it stands.
    is_whole: bool,
}

/// The running process.
pub(crate) struct App {
    address: SocketAddr,
    operator: OperatorToken,
    shared: Arc<Shared>,
    stop_ingest: CancellationToken,
    stop_roles: CancellationToken,
    http: JoinHandle<()>,
    running: Running,
    bus: Bus,
}

/// What runs, by name, in flow order.
#[derive(Default)]
struct Running(Vec<(&'static str, JoinHandle<()>)>);

impl Running {
    fn spawn(&mut self, name: &'static str, role: impl Future<Output = ()> + Send + 'static) {
        self.0.push((name, tokio::spawn(role)));
    }
}

/// A policy as the files say it, and as the log gets it.
#[derive(Clone)]
struct OwnPolicy {
    whole: PolicyLoad,
    logged: PolicyLoad,
}

impl OwnPolicy {
    fn of(config: &Config) -> Self {
        Self { whole: config.policy_load.clone(), logged: config.logged_policy.clone() }
    }
}

/// What a reload swaps.
struct Shared {
    config_path: Option<PathBuf>,
    /// Where the command line keeps the data instead of where the file says.
    moved_to: Option<PathBuf>,
    /// What no reload can change.
    fixed: Fixed,
    followed: Followed,
    roles: Roles,
    auth: Arc<ArcSwap<Auth>>,
    operator: OperatorToken,
    secrets: Arc<Secrets>,
    targets: Arc<OwnTargets>,
    receivers: Arc<ArcSwap<Receivers>>,
    routing: watch::Sender<Arc<router::Config>>,
    placing: Arc<Placing>,
    writer: EventWriter,
    /// What the files said when they were read last.
    own_policy: Mutex<OwnPolicy>,
    /// The policy in force, as the log has it. Held during a whole reload: the one that read the files last has the last word.
    policy: tokio::sync::Mutex<Option<PolicyLoad>>,
    /// The files that the configuration in force was read from.
    files: Mutex<Vec<PathBuf>>,
    /// Somebody asked for a reload; a storm of signals is one.
    reload_wanted: Notify,
    readiness: Readiness,
    state_metrics: StateMetrics,
    stop: CancellationToken,
}

impl App {
    /// Starts everything; returns once it listens. A long straight function on purpose: the order is the point.
    pub(crate) async fn start(mut config: Config, roles: Roles) -> Result<Self, StartError> {
        roles.check(&config.bus).map_err(StartError::Config)?;
        let data_dir = config.server.data_dir.clone();
        let seen_files = fingerprint(&config.files);
        let bus = open_log(&config.bus).await?;
        let refusal = installation::refusal(&bus.decisions, &config.bus).await;
        if let Some(reason) = refusal.context("the decisions log cannot be read")? {
            return Err(StartError::Config(reason));
        }
        let listener = TcpListener::bind(config.server.listen)
            .await
            .map_err(|error| not_listening(config.server.listen, &error))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let operator = OperatorToken::create(&data_dir).map_err(|error| {
            let text = "the operator's token cannot be kept in server.data_dir";
            StartError::Config(format!("{text} {}: {error}", data_dir.display()))
        })?;
        let auth = access::auth(&config, &operator).map_err(|error| StartError::Config(error.to_string()))?;
        let auth = Arc::new(ArcSwap::from_pointee(auth));

        let registry = Registry::new();
        let gauges = LogGauges::register(&registry)?;
        let state_metrics = StateMetrics::register(&registry)?;
        state_metrics.note_reload(config.faulty_policy_files.is_empty());
        let (stop_ingest, stop_roles) = (CancellationToken::new(), CancellationToken::new());
        let mut running = Running::default();
        let readiness = Readiness::default();
        readiness.set("process", Err("starting or stopping".to_owned()));

        // What people see and what roles ask, up to date before anything else begins.
        let poison = Poison::register(&registry, bus.dead_letters.clone())?;
        let is_shared = matches!(config.bus, BusConfig::Kafka(_));
        let scrutiny = Scrutiny::register(&registry, &bus, is_shared, stop_roles.clone())?;
        let projection = SharedProjection::default();
        let known = checkpoints::load(&bus).await?;
        let (decisions, shown) = (bus.decisions.clone(), projection.clone());
        let (followed, follow) = Followed::new(
            decisions,
            known.history_from,
            shown,
            poison.clone(),
            scrutiny.clone(),
            stop_roles.clone(),
        )
        .await?;
        let mut earlier = Arc::default();
        if let Some(checkpoint) = known.before_history() {
            followed.restore(checkpoint);
            earlier = Arc::new(checkpoint.firing_notices());
        }
        let mut last_to_stop = Running::default();
        last_to_stop.spawn("follow", follow.run());
        followed.catch_up().await.context("the decisions log cannot be read")?;
        if let BusConfig::Embedded(_) = &config.bus {
            keep_positions(&bus, &followed).await;
        }

        if let Some(in_force) = followed.policy() {
            keep_last_good(&mut config, &in_force);
        }

        // Where retention has taken records, a judge that is rebuilt from the log finds the policy only if it is loaded again.
        let in_force = followed.policy().filter(|_| !known.is_log_partial);
        let boot = access::random_hex().context("no randomness")?;
        let placing = Arc::new(Placing::new(bus.events.clone(), projection.clone(), &config.policy.identity));
        let writer = EventWriter::new(Arc::clone(&placing), &boot);
        let secrets = Arc::new(Secrets::new(config.secrets.clone()));
        let targets = Arc::new(OwnTargets::new(config.policy.clone()));
        let (files_of, targets_of) = (Arc::clone(&secrets) as Arc<_>, Arc::clone(&targets) as Arc<_>);
        let mut actuators =
            Actuators::new(files_of, targets_of, &registry, telemetry::clock::now).context("actuators")?;
        if let Some(kafka) = config.outside.kafka.as_ref().filter(|_| roles.act) {
            actuators = actuators.with_publisher(Arc::new(KafkaPublisher::new(kafka).map_err(not_opened)?));
        }
        let receivers = Receivers::new(config.receivers.clone(), &registry, telemetry::clock::now)
            .map_err(|error| StartError::Config(error.to_string()))?;
        let receivers = Arc::new(ArcSwap::from_pointee(receivers));
        let (routing, routing_changes) = watch::channel(Arc::new(config.routing.clone()));
        let shared = Arc::new(Shared {
            config_path: config.path.clone(),
            moved_to: config.moved_to.clone(),
            fixed: config.fixed(),
            followed: followed.clone(),
            roles,
            auth: Arc::clone(&auth),
            operator: operator.clone(),
            secrets,
            targets,
            receivers: Arc::clone(&receivers),
            routing,
            placing: Arc::clone(&placing),
            writer: writer.clone(),
            own_policy: Mutex::new(OwnPolicy::of(&config)),
            policy: tokio::sync::Mutex::new(in_force.clone()),
            files: Mutex::new(config.files.clone()),
            reload_wanted: Notify::new(),
            readiness: readiness.clone(),
            state_metrics: state_metrics.clone(),
            stop: stop_roles.clone(),
        });

        let (judges, handover) = (Judges::default(), Handover::default());
        let member = |name, share| Member::new(bus.join(name, share), name, readiness.clone());
        if roles.ingest {
            let restored = in_force;
            let loaded =
                shared.load_policy(&mut *shared.policy.lock().await, &config.logged_policy, "start").await;
            if let Err(error) = loaded {
                tracing::error!(%error, "the policy cannot be written; trying again");
                readiness.set("log", Err("the log cannot write".to_owned()));
                running
                    .spawn("policy", Arc::clone(&shared).load_policy_later(restored, config.logged_policy));
            }
            running.spawn("tick", tick::run(writer.clone(), readiness.clone(), stop_roles.clone()));
            if let Some(kafka) = config.outside.kafka.as_ref().filter(|_| !config.outside.inputs.is_empty()) {
                let inlet = InletRole::start(
                    kafka,
                    config.outside.inputs.clone(),
                    Arc::clone(&placing),
                    poison.clone(),
                    InletMetrics::register(&registry)?,
                    readiness.clone(),
                    stop_roles.clone(),
                );
                running.spawn("inlet", inlet.map_err(not_opened)?.run());
            }
        }
        if roles.analyze {
            if let BusConfig::Embedded(_) = &config.bus {
                // Nobody else's from the start on, and ready only with its judge.
                say_taken_over(&readiness, Partition::HOME);
            }
            let fitting = Fitting::register(&registry)?;
            let analyze = AnalyzeRole {
                member: member("analyze", Share::Events),
                bus: bus.clone(),
                followed: followed.clone(),
                judges: judges.clone(),
                handover: handover.clone(),
                metrics: KeepMetrics::register(&registry)?,
                fitting: fitting.clone(),
                poison: poison.clone(),
                scrutiny: scrutiny.clone(),
                readiness: readiness.clone(),
                stop: stop_roles.clone(),
            };
            running.spawn("analyze", analyze.run());
            let arbitrate = ArbitrateRole {
                checkpoints: CheckpointWriter::new(
                    &bus,
                    CheckpointMetrics::register(&registry)?,
                    known.saved,
                ),
                chair: match known.checkpoint {
                    Some(checkpoint) => Chair::from_checkpoint(boot.clone(), checkpoint),
                    None => Chair::new(boot.clone()),
                },
                decisions: bus.decisions.clone(),
                member: member("arbiter", Share::Decisions),
                metrics: ArbiterMetrics::register(&registry)?,
                fitting,
                scrutiny: scrutiny.clone(),
                poison: poison.clone(),
                readiness: readiness.clone(),
                stop: stop_roles.clone(),
            };
            running.spawn("arbiter", arbitrate.run());
        }
        if roles.act {
            let act = ActRole {
                decisions: bus.decisions.clone(),
                partitions: bus.events.partitions(),
                member: member("act", Share::Events),
                followed: followed.clone(),
                actuators: Arc::new(actuators),
                writer: writer.clone(),
                scrutiny: scrutiny.clone(),
                refused: vetting::counter(&registry)?,
                halt_file: data_dir.join(halt_file::FILE_NAME),
                stop: stop_roles.clone(),
            };
            running.spawn("act", act.run());
            let shown = projection.clone();
            let watch_file = halt_file::run(
                data_dir.join(halt_file::FILE_NAME),
                writer.clone(),
                move |id| shown.read().halt(id).is_some(),
                stop_roles.clone(),
            );
            running.spawn("halt file", watch_file);
        }
        if roles.notify {
            let teller = Teller {
                decisions: bus.decisions.clone(),
                receivers,
                routing: routing_changes,
                earlier,
                history_from: known.history_from,
                writer,
                scrutiny: scrutiny.clone(),
                stop: stop_roles.clone(),
            };
            let notify = NotifyRole { member: member("notify", Share::Decisions), teller };
            running.spawn("notify", notify.run());
        }
        running.spawn("brokers", watch_brokers(bus.clone(), readiness.clone(), stop_roles.clone()));
        running.spawn("config watch", watch_config(Arc::clone(&shared), seen_files));
        running.0.append(&mut last_to_stop.0);

        let shadows = is_shared.then(|| {
            let (bus, stop) = (bus.clone(), stop_roles.clone());
            Shadows::new(Parts { bus, followed, poison, scrutiny, stop })
        });
        let document: Arc<str> = openapi().into();
        let refusals = Refusals::default();
        let console = console::Console {
            projection: projection.clone(),
            values: Arc::new(Asker::new(judges, bus.events.partitions(), shadows, refusals.clone())),
            authorize: access::view_guard(Arc::clone(&auth)),
            readiness: Arc::new(move || readiness.check()),
            registry: registry.clone(),
            before_scrape: {
                let (log, shown) = (gauges.refresher(&bus), projection.clone());
                Arc::new(move || {
                    log();
                    state_metrics.refresh(&shown);
                })
            },
            openapi_json: Arc::clone(&document),
        };
        let mut api = access::guarded(console::operations(console.clone()), Arc::clone(&auth))
            .merge(access::reload_route(Arc::clone(&auth), reloader(&shared)));
        if roles.console {
            api = api.merge(console::router(console));
        }
        if roles.ingest {
            let parts = ingest::Parts {
                sink: Arc::new(BusSink { placing, handover }),
                lookup: Arc::new(ProjectionLookup(projection)),
                clock: telemetry::clock::now,
                boot_nonce: boot,
                auth,
                limits: config.server.limits.clone(),
                refusals,
            };
            api = api.merge(ingest::router(Ingest::try_new(parts, &registry).context("ingest")?));
        }
        let api = parameters::expect_known(api, &document);
        let connections = Connections::register(&registry)?;
        let http = tokio::spawn(http::serve(
            listener,
            http::with_problems(api, roles),
            connections,
            stop_ingest.clone(),
        ));
        shared.readiness.set("process", Ok(()));
        tracing::info!(%address, data_dir = %data_dir.display(), %roles, version = env!("CARGO_PKG_VERSION"), "ready");
        Ok(Self { address, operator, shared, stop_ingest, stop_roles, http, running, bus })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token of whoever can read the data directory.
    pub(crate) fn operator_token(&self) -> &str {
        self.operator.expose()
    }

    /// Has the configuration read again soon; a bad one changes nothing.
    pub(crate) fn want_reload(&self) {
        self.shared.reload_wanted.notify_one();
    }

    /// Stops in flow order: no new requests, then the roles, then the log.
    pub(crate) async fn stop(self) {
        self.shared.readiness.set("process", Err("starting or stopping".to_owned()));
        let Self { stop_ingest, stop_roles, http, running, bus, .. } = self;
        let unfinished = Mutex::new("http");
        let at = |name| *unfinished.lock().unwrap_or_else(PoisonError::into_inner) = name;
        let stopping = async {
            stop_ingest.cancel();
            warn_if_failed("http", http.await);
            stop_roles.cancel();
            for (name, role) in running.0 {
                at(name);
                warn_if_failed(name, role.await);
            }
            at("log");
            bus.close().await;
        };
        if tokio::time::timeout(STOP_DEADLINE, stopping).await.is_err() {
            let unfinished = *unfinished.lock().unwrap_or_else(PoisonError::into_inner);
            tracing::warn!(
                unfinished,
                "not everything stopped in time; what is unfinished is taken up at the next start"
            );
        }
    }
}

impl Shared {
    /// As [`Self::try_reload`]; how it went is on `/metrics`.
    async fn reload(&self, origin: &str) -> Result<Vec<String>, ReloadError> {
        let reloaded = self.try_reload(origin).await;
        self.state_metrics.note_reload(reloaded.as_ref().is_ok_and(|it| it.is_whole));
        reloaded.map(|it| it.warnings)
    }

    /// Puts into force what the files say by now.
    async fn try_reload(&self, origin: &str) -> Result<Reloaded, ReloadError> {
        let mut in_force = self.policy.lock().await;
        if !self.roles.ingest {
            // Others put it there.
            *in_force = self.followed.policy();
        }
        let last = in_force.as_ref().map(|load| policy::with_own_secrets(load, &self.own_policy().whole));
        let mut config =
            config::load_keeping(self.config_path.as_deref(), last.as_ref()).map_err(ReloadError::config)?;
        if let Some(data_dir) = &self.moved_to {
            config.move_data_dir(data_dir);
        }
        let auth = access::auth(&config, &self.operator).map_err(ReloadError::config)?;
        // A file that was saved half must not open the door.
        if auth.is_open() && !self.auth.load().is_open() {
            let text = "`server.tokens` are gone: without them every program of this machine may send and read, and \
                        that takes a restart";
            return Err(ReloadError::Config(text.to_owned()));
        }
        let receivers = Receivers::reconfigure(&self.receivers.load(), config.receivers.clone())
            .map_err(ReloadError::config)?;
        // First what may fail: all of the file is in force afterwards, or nothing of it.
        if self.roles.ingest {
            self.load_policy(&mut in_force, &config.logged_policy, origin).await?;
        }
        self.placing.reconfigure(&config.policy.identity);
        self.auth.store(Arc::new(auth));
        self.secrets.replace(config.secrets.clone());
        self.targets.replace(config.policy.clone());
        *self.own_policy.lock().unwrap_or_else(PoisonError::into_inner) = OwnPolicy::of(&config);
        self.receivers.store(Arc::new(receivers));
        self.routing.send_replace(Arc::new(config.routing.clone()));
        let warnings = self.warnings(&config, in_force.as_ref());
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = config.files;
        tracing::info!(origin, "configuration reloaded");
        warnings.iter().for_each(|warning| tracing::warn!(origin, "{warning}"));
        for file in &config.faulty_policy_files {
            tracing::error!(origin, file, "this policy file is not in force as it stands");
        }
        Ok(Reloaded { warnings, is_whole: config.faulty_policy_files.is_empty() })
    }

    /// What of `config` is not in force after a reload, and what its reader warns of.
    fn warnings(&self, config: &Config, in_force: Option<&PolicyLoad>) -> Vec<String> {
        let mut warnings: Vec<String> = config.warnings().map(ToString::to_string).collect();
        let restart =
            |key| format!("`{key}` needs a restart: until then what it was at the start stays in force");
        warnings.extend(self.fixed.changed_in(&config.fixed()).into_iter().map(restart));
        if !self.roles.ingest && config::says_another_policy(&config.logged_policy, in_force) {
            let text = "the policy of this file is not the one in force: a process with the role `ingest` puts it \
                        there, at its own reload";
            warnings.push(text.to_owned());
        }
        warnings
    }

    /// Puts a policy onto the log, if it is not the one in force already.
    async fn load_policy(
        &self,
        in_force: &mut Option<PolicyLoad>,
        load: &PolicyLoad,
        origin: &str,
    ) -> Result<(), bus::AppendError> {
        if in_force.as_ref().is_some_and(|old| old.files == load.files) {
            return Ok(());
        }
        if let Some(outage) = self.writer.outage() {
            return Err(outage);
        }
        let load = PolicyLoad { origin: origin.to_owned(), ..load.clone() };
        self.writer.append("policy", EventBody::PolicyLoad(Box::new(load.clone()))).await?;
        *in_force = Some(load);
        Ok(())
    }

    /// As soon as the log can write, unless a reload was faster.
    async fn load_policy_later(self: Arc<Self>, restored: Option<PolicyLoad>, load: PolicyLoad) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(POLICY_RETRY_PAUSE) => {}
            }
            let mut in_force = self.policy.lock().await;
            if *in_force != restored || self.load_policy(&mut in_force, &load, "start").await.is_ok() {
                return;
            }
        }
    }

    fn own_policy(&self) -> OwnPolicy {
        self.own_policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fingerprint(&self) -> Fingerprint {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        fingerprint(&files)
    }
}

/// A restart is to a policy file with a mistake what a reload is: it goes on saying what it said.
fn keep_last_good(config: &mut Config, in_force: &PolicyLoad) {
    if config.faulty_policy_files.is_empty() {
        return;
    }
    let Ok(kept) = config::load_keeping(config.path.as_deref(), Some(in_force)) else { return };
    for (file, _) in kept.policy_load.files.iter().filter(|(it, _)| kept.faulty_policy_files.contains(it)) {
        tracing::warn!(file, "the last good version of this policy file stays in force");
    }
    (config.policy, config.secrets) = (kept.policy, kept.secrets);
    (config.policy_load, config.logged_policy) = (kept.policy_load, kept.logged_policy);
}

fn reloader(shared: &Arc<Shared>) -> access::Reload {
    let shared = Arc::clone(shared);
    Arc::new(move || {
        let shared = Arc::clone(&shared);
        Box::pin(async move { shared.reload("POST /-/reload").await })
    })
}

/// Whose policy rules.
#[derive(Default)]
struct Rule {
    /// Of the policy that ruled at the last look and was not this process's own.
    other: Option<String>,
    told: Option<String>,
}

impl Rule {
    /// Tells once of each policy that another process has put in force. Not at the first look at it: this process's own
    /// may be on its way.
    fn look(&mut self, shared: &Shared) {
        let (own, in_force) = (shared.own_policy().logged, shared.followed.policy());
        let (own_hash, hash) = (config::policy_hash(&own), in_force.as_ref().map(config::policy_hash));
        shared.state_metrics.note_policies(hash.as_deref(), &own_hash);
        let other = hash.filter(|_| config::says_another_policy(&own, in_force.as_ref()));
        let is_lasting = other.is_some() && other == self.other;
        if is_lasting && other != self.told {
            tracing::warn!(
                in_force = other,
                own = own_hash,
                "another process has put a policy in force that is not what this process's file says"
            );
            self.told.clone_from(&other);
        }
        self.other = other;
    }
}

/// Reloads when asked to, or when one of the files changed.
async fn watch_config(shared: Arc<Shared>, mut seen: Fingerprint) {
    let mut interval = tokio::time::interval(WATCH_PERIOD);
    let mut rule = Rule::default();
    loop {
        rule.look(&shared);
        let origin = tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.reload_wanted.notified() => "SIGHUP",
            _ = interval.tick() => "file change",
        };
        let found = shared.fingerprint();
        if found == seen && origin != "SIGHUP" {
            continue;
        }
        match shared.reload(origin).await {
            Ok(_) => seen = found,
            Err(error @ ReloadError::Config(_)) => {
                seen = found;
                tracing::error!(%error, origin, "the configuration is not accepted; the old one stays in force");
            }
            Err(error @ ReloadError::Log(_)) => {
                tracing::error!(%error, origin, "the old configuration stays in force for now");
            }
        }
    }
}

/// Modification time, size and inode of each file: enough to see an edit and a ConfigMap's symlink swap.
type Fingerprint = Vec<Option<(std::time::SystemTime, u64, u64)>>;

fn fingerprint(files: &[PathBuf]) -> Fingerprint {
    let of = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    };
    files.iter().map(of).collect()
}

/// Between two attempts to open a log whose brokers are not there yet.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Opens the log. Brokers that do not answer are waited for: after a power cut they may start last.
async fn open_log(config: &BusConfig) -> Result<Bus, StartError> {
    loop {
        match bus::open(config.clone()).await {
            Ok(bus) => return Ok(bus),
            Err(error) if error.is_outage() => {
                tracing::error!(error = chain(&error), "the log cannot be opened yet: trying again");
                tokio::time::sleep(OPEN_AGAIN_AFTER).await;
            }
            Err(error) => return Err(not_opened(error)),
        }
    }
}

/// A port in use may be free a moment later, as when the process before has not ended yet: whatever starts Ripcord
/// tries again. An address that this machine does not have, or a port that it may not take, needs an edit.
fn not_listening(listen: SocketAddr, error: &std::io::Error) -> StartError {
    let text = format!("server.listen {listen}: {error}");
    if error.kind() == std::io::ErrorKind::AddrInUse {
        let hint = "another program has this port, perhaps another Ripcord that has not ended yet";
        StartError::Other(anyhow::anyhow!("{text}: {hint}"))
    } else {
        StartError::Config(text)
    }
}

/// A log in use or a full disk passes; everything else is for the operator to put right.
fn not_opened(error: bus::OpenError) -> StartError {
    if error.is_for_the_operator() {
        StartError::Config(chain(&error))
    } else {
        StartError::Other(error.into())
    }
}

fn openapi() -> String {
    let mut document = ingest::openapi();
    document.merge(console::openapi());
    document.info.title = "Ripcord".to_owned();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["paths"]["/-/reload"] = access::describe_reload();
    document.to_string()
}

fn warn_if_failed(name: &str, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(role = name, %error, "a role ended badly");
    }
}
