//! The command line: one file a command.

mod check;
mod cluster_args;
mod demo;
mod events;
mod fake_core;
mod log;
mod operate;
mod pin;
mod scan;
mod serve;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{DEFAULT_PATH, Origin};
use crate::pool::Word;
use operate::{Reason, Socket, Target};

/// Something failed.
const FAILED: u8 = 1;
/// The command line is wrong (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;
/// The configuration is wrong (`EX_CONFIG` of sysexits).
const CONFIG: u8 = 78;

/// Authoritative DNS that answers a cluster's shared name with its healthy nodes.
#[derive(Debug, Parser)]
#[command(name = "evenkeel", version, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  evenkeel demo                                  three nodes and a server on loopback
  evenkeel check --config lb.toml                what is wrong with a configuration
  evenkeel serve --config lb.toml                answer queries
  evenkeel status                                who is answered, and why
  evenkeel drain core/core-2 --wait              take a node out
  evenkeel nominate core/spare --replace core-2  let a spare step in
  evenkeel events --follow                       what happens
  evenkeel scan folder -c core.lb.example        scan files, each at one node

Exit codes: 0 done, 1 failed, 2 something is blocked (scan), 64 usage, 78 configuration.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer queries until SIGTERM; SIGHUP reloads the configuration
    #[command(after_help = "\
Examples:
  evenkeel serve                                 with /etc/evenkeel/evenkeel.toml
  evenkeel serve --config lb.toml
  kill -HUP PID                                  reload; a bad file changes nothing
  EVENKEEL_LOG=debug evenkeel serve              log more")]
    Serve(ConfigFile),
    /// Load a configuration as `serve` does and say what is wrong with it
    #[command(after_help = "\
Examples:
  evenkeel check --config lb.toml                exit code 78 when something is wrong
  evenkeel check --config lb.toml && kill -HUP PID")]
    Check(ConfigFile),
    /// Show it all on loopback: three nodes, their probes, and DNS on 127.0.0.1:5300
    #[command(after_help = "\
Example:
  evenkeel demo
  dig @127.0.0.1 -p 5300 core.lb.example         in another terminal")]
    Demo,
    /// Show how every node stands, and why it is answered or not
    #[command(after_help = "\
Examples:
  evenkeel status
  evenkeel status --json | jq '.pools[].nodes[] | select(.eligible | not)'")]
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
    /// Take a node out of the answers; its sessions live on
    #[command(after_help = "\
Examples:
  evenkeel drain core/core-2 --why patching
  evenkeel drain core/core-2 --for 2h            and take it back by itself
  evenkeel drain core/core-2 --wait              return when the last answer with it has expired")]
    Drain {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        reason: Reason,
        /// Wait until the last answer that held the node has expired
        #[arg(long)]
        wait: bool,
    },
    /// Leave a node to its monitors again
    #[command(after_help = "\
Example:
  evenkeel resume core/core-2                    after drain or force")]
    Resume(#[command(flatten)] Target),
    /// Say that a node is up or down, whatever its monitors find
    #[command(after_help = "\
Examples:
  evenkeel force up core/core-2 --for 10m --why 'the monitor is wrong'
  evenkeel force down core/core-2")]
    Force {
        /// Which
        state: State,
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        reason: Reason,
    },
    /// Make a backup an active node, after the action that the configuration has for it
    #[command(after_help = "\
Examples:
  evenkeel nominate core/spare                   one active node more
  evenkeel nominate core/spare --replace core-2  core-2 is a backup from then on")]
    Nominate {
        #[command(flatten)]
        target: Target,
        /// The active node of the pool whose place it takes
        #[arg(long, value_name = "NODE")]
        replace: Option<String>,
        /// Change the role only: the node has been promoted already
        #[arg(long)]
        without_action: bool,
        #[command(flatten)]
        reason: Reason,
    },
    /// Make a nominated node a backup again; the one that it replaced is active again
    #[command(after_help = "\
Example:
  evenkeel unregister core/spare")]
    Unregister {
        #[command(flatten)]
        target: Target,
        /// Also when fewer than min_available nodes are left
        #[arg(long)]
        force: bool,
        /// Change the role only
        #[arg(long)]
        without_action: bool,
    },
    /// Show what happened: health, answers, and what operators said
    #[command(after_help = "\
Examples:
  evenkeel events                                the last 20
  evenkeel events core/core-2 --limit 1000       all that is known of a node
  evenkeel events --follow --json | jq .text")]
    Events(events::Wanted),
    /// Scan files and folders with the nodes of a cluster
    #[command(after_help = "\
Examples:
  evenkeel scan invoice.pdf --cluster core.lb.example
  evenkeel scan ~/Downloads --cluster https://core.lb.example:8008 --concurrency 16
  evenkeel scan folder --cluster core.lb.example --batch --json

Ctrl-C stops uploads and polls and cancels the batch; files without a verdict have failed.
Exit codes: 0 all allowed, 1 something failed, 2 something is blocked, 64 usage.")]
    Scan(scan::ScanArgs),
    /// Resolve a shared name once and print a node that accepts connections
    #[command(after_help = "\
Examples:
  evenkeel pin core.lb.example                   10.0.0.12:8008
  pin=$(evenkeel pin core.lb.example --curl) && curl $pin http://core.lb.example:8008/version
  evenkeel pin core.lb.example --server 127.0.0.1:5300")]
    Pin(pin::PinArgs),
    /// Pretend to be a Core node, for tests and CI
    #[command(after_help = "\
Examples:
  evenkeel fake-core --listen 127.0.0.1:8008
  curl -X PUT http://127.0.0.1:8008/_fake -d '{\"readyz\": 503}'       not ready
  curl -X PUT http://127.0.0.1:8008/_fake -d '{\"outage\": {\"ms\": 2000}}'   gone for two seconds
  curl http://127.0.0.1:8008/_fake                                  all faults there are, and counters")]
    FakeCore(fake_core::Node),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Up,
    Down,
}

#[derive(Args, Debug)]
struct ConfigFile {
    /// Configuration file
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

impl ConfigFile {
    fn origin(self) -> Origin {
        Origin::File(self.config)
    }
}

/// Runs the command that the process was called with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed terminal is no reason for another exit code.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Serve(file) => serve::run(file.origin()),
        Command::Check(file) => check::run(&file.origin()),
        Command::Demo => demo::run(),
        Command::Status { json, socket } => status::run(&socket, json),
        Command::Drain { target, reason, wait } => operate::drain(&target, reason, wait),
        Command::Resume(target) => operate::resume(&target),
        Command::Nominate { target, replace, without_action, reason } => {
            operate::nominate(&target, replace, without_action, reason)
        }
        Command::Unregister { target, force, without_action } => operate::unregister(&target, force, without_action),
        Command::Scan(args) => scan::run(&args),
        Command::Pin(args) => pin::run(&args),
        Command::FakeCore(node) => fake_core::run(node),
        Command::Events(wanted) => events::run(&wanted),
        Command::Force { state: State::Up, target, reason } => operate::say(&target, Word::Up, reason),
        Command::Force { state: State::Down, target, reason } => operate::say(&target, Word::Down, reason),
    }
}
