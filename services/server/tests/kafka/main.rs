//! Ripcord with its roles apart, on Kafka: real processes, real brokers; sockets, files and signals only.
//!
//! The brokers are our own (Java, and Maven the first time) or `RIPCORD_TEST_KAFKA=host:port`; without either the
//! stories say that they are skipped, and fail under `CI`. What needs three brokers or many minutes is `soak`.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod acting;
mod apart;
mod bad_input;
#[path = "../../../bus/tests/conformance/broker.rs"]
#[allow(dead_code, reason = "what these stories do not need")]
mod broker;
mod forged;
mod letters;
mod lines;
#[path = "../it/load.rs"]
#[allow(dead_code, reason = "what these stories do not need")]
mod load;
mod outage;
mod poison;
#[path = "../it/random.rs"]
mod random;
mod rights;
mod roles;
mod same;
#[path = "../it/shop.rs"]
#[allow(dead_code, reason = "what these stories do not need")]
mod shop;
#[path = "../it/sink.rs"]
#[allow(dead_code, reason = "what these stories do not need")]
mod sink;
mod soak;
mod storm;
mod stranger;
#[path = "../it/system.rs"]
#[allow(dead_code, reason = "what these stories do not need")]
mod system;
mod takeover;
#[path = "../it/wire.rs"]
#[allow(dead_code, reason = "what these stories do not need")]
mod wire;
