//! `evenkeel check`: the loader of `serve`, without serving.

use std::io::{self, Write};
use std::process::ExitCode;

use super::CONFIG;
use crate::config::{self, Loaded, Origin};
use crate::daemon::summary;
use crate::diagnostic::Diagnostics;

pub(super) fn run(origin: &Origin) -> ExitCode {
    let loaded = config::load(origin);
    // Whoever reads may have gone: the exit code still tells.
    let _ = print(&loaded);
    if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(CONFIG) }
}

fn print(loaded: &Result<Loaded, Diagnostics>) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    let problems = match loaded {
        Ok(loaded) => &loaded.warnings,
        Err(problems) => problems,
    };
    for problem in problems.iter() {
        writeln!(stderr, "{problem}\n")?;
    }
    match (loaded, problems.error_count()) {
        (Ok(loaded), _) => writeln!(io::stdout().lock(), "ok: {}", summary(loaded)),
        (Err(_), 1) => writeln!(stderr, "1 error"),
        (Err(_), errors) => writeln!(stderr, "{errors} errors"),
    }
}
