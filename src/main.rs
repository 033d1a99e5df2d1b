//! The `evenkeel` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    evenkeel::cli::run()
}
