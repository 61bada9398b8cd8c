//! The whole system from outside: the real binary, real peers, sockets and files and signals only.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod alertmanager;
mod attribution;
mod backup;
mod bad_input;
mod broker;
mod cli;
mod crash;
mod damage;
mod deploy_files;
mod failing_disk;
mod faults;
mod http_edge;
mod judgement;
mod load;
mod modes;
mod notices;
mod opentelemetry;
mod peers;
mod pipeline;
mod prometheus;
mod restart;
mod rules;
mod sink;
mod system;
mod targets;
mod wire;
