//! The whole system from outside: the real binary, real peers, sockets and files and signals only.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod access;
mod alertmanager;
mod attribution;
mod backup;
mod bad_input;
#[path = "../../../bus/tests/conformance/broker.rs"]
#[allow(dead_code, reason = "what these stories do not need")]
mod broker;
mod cli;
mod crash;
mod damage;
mod deploy_files;
mod failing_disk;
mod faults;
mod floods;
mod http_edge;
mod judgement;
mod kafka_in_out;
mod load;
mod modes;
mod notices;
mod opentelemetry;
mod overlap;
mod peers;
mod people;
mod pipeline;
mod prometheus;
mod random;
mod reload;
mod restart;
mod retention;
mod rules;
mod shop;
mod sink;
mod story;
mod system;
mod targets;
mod topics;
mod unversioned;
mod wire;
