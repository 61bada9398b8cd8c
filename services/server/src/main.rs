//! The binary: command line, configuration, roles, start and stop. Everything that decides lives in the crates
//! below; this one joins them.

mod access;
mod app;
mod cli;
mod config;
mod connections;
mod demo;
mod duration;
mod handover;
mod http;
mod installation;
mod parameters;
mod placing;
mod ports;
mod readiness;
mod role;
mod roles;
mod state_metrics;
mod statistics;
mod text;
mod tls;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
