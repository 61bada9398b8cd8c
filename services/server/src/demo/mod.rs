//! `ripcord demo`: a small shop on loopback, a good release, a bad one, and Ripcord in between.
//!
//! Nothing here tells Ripcord what to decide. The shop's services answer real HTTP requests and really fail; an
//! agent pushes their counters as Prometheus would; Ripcord finds out by itself, calls the deployer's webhook,
//! writes to a Slack-like endpoint and talks SMTP to a mail server. The story on the terminal is read from the
//! public API.

mod agent;
mod deployer;
mod mail;
mod parts;
mod random;
mod shop;
mod story;
mod terminal;
mod traffic;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::{deployer::Deployer, mail::MailServer, parts::Ripcord, shop::Shop, story::Story};
use crate::{access::OPERATOR_TOKEN_FILE, cli::Client};

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Leave everything running afterwards, to be explored; ends with Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Keep the log on these brokers (HOST:PORT, separated by commas), in topics of its own, and run each role apart.
    #[arg(long, value_delimiter = ',', value_name = "BROKERS")]
    kafka: Vec<String>,
}

/// How often the agent pushes: what a scrape interval is to Prometheus.
const PUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Everything the demo runs.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) shop: Arc<Shop>,
    pub(crate) deployer: Arc<Deployer>,
    pub(crate) mail: Arc<MailServer>,
    pub(crate) slack: receivers::slack::double::SlackDouble,
    pub(crate) url: String,
    /// The token of whoever acts.
    pub(crate) token_file: PathBuf,
}

/// Runs the demo: exit 0 when the story ended as it should.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    crate::tls::install_provider();
    let stop = CancellationToken::new();
    let folder = tempfile_folder()?;
    let mail = MailServer::start(stop.clone()).await?;
    let slack = receivers::slack::double::SlackDouble::start(SLACK_TOKEN).await?;
    let shop = Arc::new(Shop::start(stop.clone()).await?);
    let deployer_listener = TcpListener::bind("127.0.0.1:0").await?;
    let deployer_address = deployer_listener.local_addr()?;
    write_config(&folder, &format!("http://{deployer_address}/rollback"), &slack.api_url(), mail.address())?;

    let ripcord = match args.kafka.as_slice() {
        [] => Ripcord::start(&folder).await?,
        brokers => Ripcord::start_on_kafka(&folder, brokers).await?,
    };
    let front = ripcord.front();
    let url = format!("http://{}", front.address());
    let client = Client::with_token(&url, Some(front.operator_token().to_owned()))?;
    let deployer = Deployer::start(deployer_listener, Arc::clone(&shop), client.clone(), stop.clone())?;
    agent::start(Arc::clone(&shop), url.clone(), PUSH_INTERVAL, stop.clone())?;
    traffic::start(&shop, stop.clone())?;

    let token_file = ripcord.front_data_dir().join(OPERATOR_TOKEN_FILE);
    let stage = Stage { client, shop, deployer, mail, slack, url, token_file };
    let story = Story::begin(&stage, &folder);
    let code = tokio::select! {
        code = story.tell(&stage) => code?,
        _ = tokio::signal::ctrl_c() => ExitCode::from(130),
    };
    if args.keep {
        story.keep(&stage);
        tokio::signal::ctrl_c().await?;
    }
    stop.cancel();
    ripcord.stop().await;
    if !args.keep {
        drop(std::fs::remove_dir_all(&folder));
    }
    Ok(code)
}

/// Not a secret: the Slack of the demo is a program on this machine.
const SLACK_TOKEN: &str = "xoxb-demo";

/// Nor is this one: base64 of `the demo signs its webhooks`.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_dGhlIGRlbW8gc2lnbnMgaXRzIHdlYmhvb2tz";

fn tempfile_folder() -> anyhow::Result<std::path::PathBuf> {
    let folder = std::env::temp_dir().join(format!("ripcord-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}

fn write_config(
    folder: &Path,
    deployer: &str,
    slack_api: &str,
    smtp: std::net::SocketAddr,
) -> anyhow::Result<()> {
    let text = include_str!("ripcord.yml")
        .replace("DEPLOYER_URL", deployer)
        .replace("SLACK_API_URL", slack_api)
        .replace("SMTP_ADDRESS", &smtp.to_string());
    std::fs::write(folder.join("ripcord.yml"), text)?;
    std::fs::write(folder.join("webhook.secret"), WEBHOOK_SECRET)?;
    std::fs::write(folder.join("slack.token"), SLACK_TOKEN)?;
    Ok(())
}
