//! The packages of the workspace and what they depend on, as cargo tells it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::package::Package;

/// Everything that is read of a workspace.
pub(crate) struct Workspace {
    /// Its directory.
    pub(crate) root: PathBuf,
    /// Its packages, by name.
    pub(crate) packages: Vec<Package>,
}

impl Workspace {
    /// Reads the workspace of the current directory.
    ///
    /// # Errors
    /// Cargo fails, or a source file cannot be read or parsed.
    pub(crate) fn read() -> Result<Self> {
        let output = cargo(&["metadata", "--no-deps", "--format-version", "1"])?;
        let metadata: Value = serde_json::from_str(&output).context("cargo metadata is not JSON")?;
        let root = PathBuf::from(text(&metadata["workspace_root"])?);
        let described = metadata["packages"].as_array().context("cargo metadata has no packages")?;
        let mut packages = described.iter().map(|package| read_package(&root, package)).collect::<Result<Vec<_>>>()?;
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root, packages })
    }

    /// Place of a package among [`Self::packages`].
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.packages.iter().position(|package| package.name == name)
    }

    /// Whether a dependency is a package of the workspace.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }
}

/// Names of the packages that a package needs on this machine with its default features, without
/// those of its tests: `(direct, all)`. A package that is needed in two versions counts twice.
///
/// # Errors
/// Cargo fails.
pub(crate) fn dependencies(package: &str) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let tree = |depth: &[&str]| -> Result<BTreeSet<String>> {
        let mut arguments = vec!["tree", "--locked", "--package", package, "--edges", "normal,build"];
        arguments.extend(["--prefix", "none", "--format", "{p}"]);
        arguments.extend(depth);
        let lines = cargo(&arguments)?;
        // `name v1.2.3 (where it comes from) (*)`
        let named = lines.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
        Ok(named.filter(|named| !named.is_empty() && named.split(' ').next() != Some(package)).collect())
    };
    Ok((tree(&["--depth", "1"])?, tree(&[])?))
}

/// Reads a package that `cargo metadata` describes.
fn read_package(root: &Path, described: &Value) -> Result<Package> {
    let targets = described["targets"].as_array().context("cargo metadata has a package without targets")?;
    let of_kind = |kinds: &[&str]| -> Result<Vec<PathBuf>> {
        let is_wanted = |target: &&Value| {
            let kind = target["kind"].as_array().and_then(|kinds| kinds.first()).and_then(Value::as_str);
            kind.is_some_and(|kind| kinds.contains(&kind))
        };
        targets.iter().filter(is_wanted).map(|target| Ok(PathBuf::from(text(&target["src_path"])?))).collect()
    };
    let library = of_kind(&["lib", "proc-macro"])?.pop();
    let mut package = Package::read(text(&described["name"])?, root, library.as_deref(), &of_kind(&["bin"])?)?;
    package.description = described["description"].as_str().unwrap_or_default().to_owned();
    for dependency in described["dependencies"].as_array().into_iter().flatten() {
        // `null` is a normal one.
        if dependency["path"].is_string() && dependency["kind"].as_str() != Some("dev") {
            package.siblings.insert(text(&dependency["name"])?.to_owned());
        }
    }
    Ok(package)
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("cargo metadata has {value} where a text belongs"))
}

/// Runs cargo, and gives what it prints.
fn cargo(arguments: &[&str]) -> Result<String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(arguments).output().context("cargo cannot be started")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {}: {}", arguments.join(" "), errors.trim());
    String::from_utf8(output.stdout).context("cargo prints no UTF-8")
}
