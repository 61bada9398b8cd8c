//! Ripcord as the demo runs it: in one piece on the embedded log, or its roles apart on Kafka.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bus::{BusConfig, KafkaConfig, TopicReport};

use crate::{
    app::App,
    config::{self, Config},
    role::{Role, Roles},
};

/// As many as show that services are spread; fewer than a production log has, for they are made at each demo.
const PARTITIONS: u32 = 6;

/// The part that takes in and shows.
const FRONT: &str = "front";

/// What runs; the first part takes in and shows.
pub(super) struct Ripcord {
    parts: Vec<App>,
    /// Where the first one's operator token is.
    front_data_dir: PathBuf,
}

impl Ripcord {
    /// Everything in one part.
    pub(super) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let config = load(folder)?;
        let front_data_dir = config.server.data_dir.clone();
        let app = App::start(config, Roles::ALL).await.context("Ripcord did not start")?;
        Ok(Self { parts: vec![app], front_data_dir })
    }

    /// Each role in a part of its own, with nothing between them but the topics, which are made anew.
    pub(super) async fn start_on_kafka(folder: &Path, brokers: &[String]) -> anyhow::Result<Self> {
        let prefix = format!("ripcord-demo-{}", crate::access::random_hex()?);
        let kafka = |instance: &str| {
            let mut kafka = KafkaConfig::new(brokers.to_vec(), &prefix, instance);
            kafka.partitions = PARTITIONS;
            kafka
        };
        let made = bus::create_topics(&kafka("demo")).await.context("the topics cannot be made")?;
        if let Some(unusable) = made.iter().find(|topic| !TopicReport::is_usable(topic)) {
            bail!("{unusable}");
        }
        let mut parts = Vec::new();
        for (name, roles) in [
            (FRONT, vec![Role::Ingest, Role::Console]),
            ("analyze-1", vec![Role::Analyze]),
            ("analyze-2", vec![Role::Analyze]),
            ("act", vec![Role::Act]),
            ("notify", vec![Role::Notify]),
        ] {
            let mut config = load(folder)?;
            config.server.data_dir = folder.join(name);
            config.bus = BusConfig::Kafka(kafka(name));
            let app = App::start(config, Roles::of(&roles)).await;
            parts.push(app.with_context(|| format!("the part {name} did not start"))?);
        }
        Ok(Self { parts, front_data_dir: folder.join(FRONT) })
    }

    pub(super) fn front(&self) -> &App {
        &self.parts[0]
    }

    pub(super) fn front_data_dir(&self) -> &Path {
        &self.front_data_dir
    }

    /// In flow order.
    pub(super) async fn stop(self) {
        for app in self.parts {
            app.stop().await;
        }
    }
}

fn load(folder: &Path) -> anyhow::Result<Config> {
    config::load(Some(&folder.join("ripcord.yml"))).map_err(|errors| anyhow::anyhow!("{errors}"))
}
