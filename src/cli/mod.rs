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
mod demote;
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
    Serve(serve::ServeArgs),
    Check(check::CheckArgs),
    Demo(demo::DemoArgs),
    Status(status::StatusArgs),
    Drain(drain::DrainArgs),
    Resume(resume::ResumeArgs),
    Force(force::ForceArgs),
    Nominate(nominate::NominateArgs),
    Demote(demote::DemoteArgs),
    Events(events::EventsArgs),
    Scan(Box<scan::ScanArgs>),
    Pin(pin::PinArgs),
    FakeCore(fake_core::FakeCoreArgs),
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
        Command::Serve(args) => args.run(),
        Command::Check(args) => args.run(),
        Command::Demo(args) => args.run(),
        Command::Status(args) => args.run(),
        Command::Drain(args) => args.run(),
        Command::Resume(args) => args.run(),
        Command::Force(args) => args.run(),
        Command::Nominate(args) => args.run(),
        Command::Demote(args) => args.run(),
        Command::Events(args) => args.run(),
        Command::Scan(args) => args.run(),
        Command::Pin(args) => args.run(),
        Command::FakeCore(args) => args.run(),
    }
}
