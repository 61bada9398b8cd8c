//! What holds from the start of a process to its end: all of `bus`, and of `server` where it listens, where its data are
//! and what a request may cost. A reload cannot change it, and says so by key.

use std::collections::BTreeMap;

use bus::{BusConfig, KafkaConfig, Keys};
use ingest::Limits;

use super::{Outside, ServerConfig, bus::default_instance};

/// Each value by its key; of `bus` only what is not the default. Has no `Debug`, as some of the values are secrets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Fixed(BTreeMap<String, String>);

impl Fixed {
    pub(super) fn of(server: &ServerConfig, bus: &BusConfig, outside: &Outside) -> Self {
        let mut values = BTreeMap::new();
        note_server(&mut values, server);
        let kind = match bus {
            BusConfig::Embedded(_) => "embedded",
            BusConfig::Kafka(_) => "kafka",
        };
        values.insert("bus.kind".to_owned(), kind.to_owned());
        let Outside { kafka, inputs } = outside;
        if !inputs.is_empty() {
            values.insert("bus.inputs".to_owned(), format!("{inputs:?}"));
        }
        // The log's own where that is on Kafka.
        if let Some(kafka) = kafka {
            note_kafka(&mut values, kafka, &default_instance(server));
        }
        Self(values)
    }

    /// The keys whose values are others in `now`, sorted.
    pub(crate) fn changed_in(&self, now: &Self) -> Vec<String> {
        let mut keys: Vec<&String> = self.0.keys().chain(now.0.keys()).collect();
        keys.sort();
        keys.dedup();
        keys.into_iter().filter(|key| self.0.get(*key) != now.0.get(*key)).cloned().collect()
    }
}

fn note_server(values: &mut BTreeMap<String, String>, server: &ServerConfig) {
    // A reload gives the tokens.
    let ServerConfig { listen, data_dir, tokens: _, limits, external_url: _ } = server;
    values.insert("server.listen".to_owned(), listen.to_string());
    values.insert("server.data_dir".to_owned(), data_dir.display().to_string());
    let Limits {
        body_bytes_max,
        remote_write_bytes_max,
        otlp_bytes_max,
        requests_bytes_max,
        alertmanager_bytes_max,
        events_bytes_max,
        release_bytes_max,
        verb_bytes_max,
        in_flight_bytes_max,
        body_time_max,
    } = limits;
    for (key, bytes) in [
        ("body_bytes_max", body_bytes_max),
        ("remote_write_bytes_max", remote_write_bytes_max),
        ("otlp_bytes_max", otlp_bytes_max),
        ("requests_bytes_max", requests_bytes_max),
        ("alertmanager_bytes_max", alertmanager_bytes_max),
        ("events_bytes_max", events_bytes_max),
        ("release_bytes_max", release_bytes_max),
        ("verb_bytes_max", verb_bytes_max),
        ("in_flight_bytes_max", in_flight_bytes_max),
    ] {
        values.insert(format!("server.limits.{key}"), bytes.to_string());
    }
    values.insert("server.limits.body_time_max".to_owned(), format!("{body_time_max:?}"));
}

fn note_kafka(values: &mut BTreeMap<String, String>, kafka: &KafkaConfig, instance: &str) {
    let usual = KafkaConfig::new(Vec::new(), "ripcord", instance);
    let of = |kafka: &KafkaConfig| {
        // The rest has no key.
        let KafkaConfig {
            brokers,
            topic_prefix,
            partitions,
            keys,
            unsigned_before,
            installation,
            linked_from,
            properties: _,
            instance,
            session_timeout,
            replication_factor,
            record_bytes_max: _,
            queue_bytes_max: _,
            append_timeout,
            events: _,
            decisions: _,
            dead_letters: _,
        } = kafka;
        [
            ("brokers", brokers.join(",")),
            ("topic_prefix", topic_prefix.clone()),
            ("partitions", partitions.to_string()),
            ("key_file", keys.as_ref().map(Keys::fingerprint).unwrap_or_default()),
            ("unsigned_before", format!("{unsigned_before:?}")),
            ("linked_from", linked_from.join(",")),
            ("installation", format!("{installation:?}")),
            ("instance", instance.clone()),
            ("session_timeout", format!("{session_timeout:?}")),
            ("replication_factor", format!("{replication_factor:?}")),
            ("append_timeout", format!("{append_timeout:?}")),
        ]
    };
    for ((key, value), (_, usual)) in of(kafka).into_iter().zip(of(&usual)) {
        if value != usual {
            values.insert(format!("bus.{key}"), value);
        }
    }
    for (key, value) in &kafka.properties {
        values.insert(format!("bus.properties.{key}"), value.clone());
    }
}
