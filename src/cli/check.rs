//! `evenkeel check`: the loader of `serve`, without serving.

use std::process::ExitCode;

use super::CONFIG;
use crate::config::{self, Origin};
use crate::daemon::summary;

pub(super) fn run(origin: &Origin) -> ExitCode {
    match config::load(origin) {
        Ok(loaded) => {
            for warning in loaded.warnings.iter() {
                eprintln!("{warning}\n");
            }
            println!("ok: {}", summary(&loaded));
            ExitCode::SUCCESS
        }
        Err(problems) => {
            for problem in problems.iter() {
                eprintln!("{problem}\n");
            }
            let errors = problems.error_count();
            eprintln!("{errors} error{}", if errors == 1 { "" } else { "s" });
            ExitCode::from(CONFIG)
        }
    }
}
