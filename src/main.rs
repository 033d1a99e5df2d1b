//! The `evenkeel` program: runs the command that its arguments name.

use std::process::ExitCode;

fn main() -> ExitCode {
    evenkeel::cli::run()
}
