//! The command line: one file per command, with its arguments and its help.
//!
//! `main` calls [`run`], which parses the arguments and runs the command. `admin_args`,
//! `cluster_args` and `config_file` have arguments that several commands share. `run_daemon` runs a
//! server, `runtime` any other command; `exit_code` lists what they return.

mod admin_args;
mod check;
mod cluster_args;
mod config_file;
mod demo;
mod drain;
mod events;
mod exit_code;
mod fake_core;
mod force;
mod log;
mod nominate;
mod pin;
mod resume;
mod run_daemon;
mod runtime;
mod scan;
mod serve;
mod status;
mod unregister;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use exit_code::USAGE;

/// Authoritative DNS server that answers queries for a shared name with the addresses of nodes that
/// are up
#[derive(Debug, Parser)]
#[command(name = "evenkeel", version, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  evenkeel demo                                  three nodes and a server on loopback
  evenkeel check --config lb.toml                report every error of a configuration
  evenkeel serve --config lb.toml                answer queries
  evenkeel status                                which nodes are eligible, and why
  evenkeel drain core/core-2 --wait              leave a node out of the answers
  evenkeel nominate core/spare --replace core-2  make a backup an active node
  evenkeel events --follow                       print events as they happen
  evenkeel scan folder -c core.lb.example        scan files, each on one node

Exit codes: 0 done, 1 failed, 2 a file is blocked (scan), 64 usage, 78 configuration.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Demo(demo::Demo),
    Status(status::StatusArgs),
    Drain(drain::Drain),
    Resume(resume::Resume),
    Force(force::Force),
    Nominate(nominate::Nominate),
    Unregister(unregister::Unregister),
    Events(events::EventsArgs),
    /// Scan files and folders on a cluster
    #[command(mut_arg("deadline", |deadline| {
        deadline.help("Give up the search for a node after this time; a running upload is not interrupted")
    }))]
    #[command(after_help = "\
Examples:
  evenkeel scan invoice.pdf --cluster core.lb.example
  evenkeel scan ~/Downloads --cluster https://core.lb.example:8008 --concurrency 16
  evenkeel scan folder --cluster core.lb.example --batch --json

Ctrl-C aborts all requests and cancels the batch. Files whose scan did not finish get the verdict `failed`.
Exit codes: 0 all files are allowed, 1 a file failed, 2 a file is blocked, 64 usage.")]
    Scan(scan::ScanArgs),
    /// Resolve a shared name once and print a node that accepts connections
    #[command(after_help = "\
Examples:
  evenkeel pin core.lb.example                   10.0.0.12:8008
  pin=$(evenkeel pin core.lb.example --curl) && curl $pin http://core.lb.example:8008/version
  evenkeel pin core.lb.example --server 127.0.0.1:5300")]
    Pin(pin::PinArgs),
    /// Start a fake MetaDefender Core node, for tests and CI
    #[command(after_help = "\
Examples:
  evenkeel fake-core --listen 127.0.0.1:8008
  curl -X PUT http://127.0.0.1:8008/_fake -d '{\"readyz\": 503}'            not ready
  curl -X PUT http://127.0.0.1:8008/_fake -d '{\"outage\": {\"ms\": 2000}}'   unreachable for 2 seconds
  curl http://127.0.0.1:8008/_fake                                        all faults and counters")]
    FakeCore(fake_core::Options),
}

/// Parses the command line of the process and runs the command.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed terminal does not change the exit code.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Serve(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Drain(command) => command.run(),
        Command::Resume(command) => command.run(),
        Command::Force(command) => command.run(),
        Command::Nominate(command) => command.run(),
        Command::Unregister(command) => command.run(),
        Command::Events(command) => command.run(),
        Command::Scan(args) => scan::run(&args),
        Command::Pin(args) => pin::run(&args),
        Command::FakeCore(options) => fake_core::run(options),
    }
}
