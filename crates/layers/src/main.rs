//! `evenkeel-layers`: holds the structure of the workspace.
//!
//! It reads the sources of every package of the workspace, the libraries and programs but not their
//! tests, and finds out which module names which other.
//!
//! ```text
//!  workspace ── packages and their roots, as cargo tells them
//!      │
//!  package ──── files and modules; mentions: the paths that their code names
//!      │
//!  resolve ──── the module that defines what a path names
//!      │
//!  uses ─────── which module takes which names from which
//!      │
//!      ├── cycles ──── dependency cycles between packages, modules and files
//!      ├── layers ──── packages and system calls that a package must not use
//!      ├── drawing ─── the section of ARCHITECTURE.md
//!      └── figures ─── lengths of files and functions, numbers of dependencies
//! ```
//!
//! A method call names no module, so the tool, which has no types, does not count it as a use.

mod cycles;
mod drawing;
mod figures;
mod graph;
mod layers;
mod mentions;
mod package;
mod resolve;
#[cfg(test)]
mod tests;
mod uses;
mod workspace;

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::uses::Uses;
use crate::workspace::Workspace;

/// The document that holds the drawing, from the root of the workspace.
const DOCUMENT: &str = "ARCHITECTURE.md";

/// What the program prints when it does not understand its command line.
const USAGE: &str = "\
usage: cargo run -p evenkeel-layers -- COMMAND

  check    exit 1 if there is a dependency cycle or a forbidden use, or if the drawing is out of date
  draw     write the drawing into ARCHITECTURE.md
  cycles   print every dependency cycle, with the names that tie it
  figures  print lengths of files and functions and numbers of dependencies, as a table";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => check(),
        ["draw"] => draw(),
        ["cycles"] => print_cycles(),
        ["figures"] => print_figures(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Reads the workspace, and finds out what each of its packages uses.
fn read() -> Result<(Workspace, Vec<Uses>)> {
    let workspace = Workspace::read()?;
    let uses = workspace.packages.iter().map(Uses::of).collect();
    Ok((workspace, uses))
}

/// Reports everything that must not be.
fn check() -> Result<ExitCode> {
    let (workspace, uses) = read()?;
    let mut problems = cycles::all(&workspace, &uses);
    problems.extend(layers::violations(&workspace, &uses, layers::LAYERS)?);
    let document = workspace.root.join(DOCUMENT);
    let text = std::fs::read_to_string(&document).with_context(|| format!("{DOCUMENT} cannot be read"))?;
    if drawing::insert(&text, &drawing::section(&workspace, &uses))? != text {
        let fix = "cargo run -p evenkeel-layers -- draw";
        problems.push(format!("{DOCUMENT} shows another structure than the sources have; to fix it: {fix}"));
    }
    if problems.is_empty() {
        println!(
            "{} packages: no dependency cycle, no forbidden use; {DOCUMENT} is up to date",
            workspace.packages.len()
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", problems.join("\n\n"));
    Ok(ExitCode::FAILURE)
}

/// Writes the drawing into the document.
fn draw() -> Result<ExitCode> {
    let (workspace, uses) = read()?;
    let document = workspace.root.join(DOCUMENT);
    let text = std::fs::read_to_string(&document).with_context(|| format!("{DOCUMENT} cannot be read"))?;
    let drawn = drawing::insert(&text, &drawing::section(&workspace, &uses))?;
    std::fs::write(&document, drawn).with_context(|| format!("{DOCUMENT} cannot be written"))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints every dependency cycle.
fn print_cycles() -> Result<ExitCode> {
    let (workspace, uses) = read()?;
    let cycles = cycles::all(&workspace, &uses);
    println!("{}", if cycles.is_empty() { "no dependency cycle".to_owned() } else { cycles.join("\n\n") });
    Ok(ExitCode::SUCCESS)
}

/// Prints the table of figures.
fn print_figures() -> Result<ExitCode> {
    print!("{}", figures::table(&Workspace::read()?)?);
    Ok(ExitCode::SUCCESS)
}
