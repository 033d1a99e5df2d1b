//! What a package may use: other packages of the workspace, and parts of the standard library.

use anyhow::Result;

use crate::package::Package;
use crate::uses::Uses;
use crate::workspace::{self, Workspace};

/// What holds for a package.
pub(crate) struct Layer {
    pub(crate) package: &'static str,
    /// Packages of the workspace that it may depend on. Those of its tests do not count.
    pub(crate) may_use: &'static [&'static str],
    /// Packages that must not be among its direct and indirect dependencies.
    pub(crate) without: &'static [&'static str],
    /// Paths that its code must not name, with all that is below them.
    pub(crate) must_not_name: &'static [&'static str],
    /// Methods that its code must not call, regardless of their type.
    pub(crate) must_not_call: &'static [&'static str],
}

/// A package that depends on no other package of the workspace. Nothing else is forbidden to it.
const INDEPENDENT: Layer = Layer { package: "", may_use: &[], without: &[], must_not_name: &[], must_not_call: &[] };

/// The layers: commands and server at the top, the core and the client library at the bottom.
pub(crate) const LAYERS: &[Layer] = &[
    Layer {
        package: "evenkeel",
        may_use: &["evenkeel-core", "evenkeel-client", "evenkeel-fake-core"],
        without: &[],
        must_not_name: &[],
        must_not_call: &[],
    },
    // Pure: no runtime, no sockets, no files, no clock, so that every decision can be tested by
    // itself, and repeated. Moments are arguments: the types of the clocks are allowed, reading a
    // clock is not.
    Layer {
        package: "evenkeel-core",
        may_use: &[],
        without: &["async-std", "hyper", "mio", "nix", "rustix", "smol", "socket2", "tokio"],
        must_not_name: &[
            "std::env",
            "std::fs",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::os",
            "std::process",
            "std::thread",
            "std::time::Instant::elapsed",
            "std::time::Instant::now",
            "std::time::SystemTime::elapsed",
            "std::time::SystemTime::now",
        ],
        must_not_call: &["elapsed"],
    },
    Layer { package: "evenkeel-client", ..INDEPENDENT },
    Layer { package: "evenkeel-fake-core", ..INDEPENDENT },
    Layer { package: "evenkeel-bench-tools", ..INDEPENDENT },
    Layer { package: "evenkeel-layers", ..INDEPENDENT },
];

/// Describes every use that the layers forbid.
///
/// # Errors
/// Cargo cannot tell the dependencies of a package.
pub(crate) fn violations(workspace: &Workspace, uses: &[Uses], layers: &[Layer]) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for (package, uses) in workspace.packages.iter().zip(uses) {
        let Some(layer) = layers.iter().find(|layer| layer.package == package.name) else {
            violations.push(format!("{} has no layer: add it to LAYERS in crates/layers/src/layers.rs", package.name));
            continue;
        };
        for used in package.siblings.iter().filter(|used| !layer.may_use.contains(&used.as_str())) {
            violations.push(format!("{} must not depend on {used}", package.name));
        }
        violations.extend(forbidden_paths(package, uses, layer));
        violations.extend(forbidden_calls(package, layer));
        if !layer.without.is_empty() {
            let (_, all) = workspace::dependencies(&package.name)?;
            let is_forbidden = |versioned: &&String| layer.without.contains(&versioned.split(' ').next().unwrap_or(""));
            let forbidden = all.iter().filter(is_forbidden);
            violations.extend(forbidden.map(|found| format!("{} must not depend on {found}", package.name)));
        }
    }
    Ok(violations)
}

/// Describes the paths in a package that its layer forbids.
pub(crate) fn forbidden_paths(package: &Package, uses: &Uses, layer: &Layer) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, modules) in &uses.external {
        let is_below =
            |part: &&str| path.strip_prefix(*part).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        if layer.must_not_name.iter().any(is_below) {
            let files = modules
                .iter()
                .map(|&module| format!("{}: {path} must not be used in {}", package.path(module), package.name));
            violations.extend(files);
        }
    }
    violations
}

/// Describes the method calls in a package that its layer forbids.
pub(crate) fn forbidden_calls(package: &Package, layer: &Layer) -> Vec<String> {
    let mut violations = Vec::new();
    for (id, module) in package.modules.iter().enumerate() {
        let forbidden = module.methods.iter().filter(|method| layer.must_not_call.contains(&method.as_str()));
        let (path, name) = (package.path(id), &package.name);
        violations.extend(forbidden.map(|method| format!("{path}: `.{method}()` must not be called in {name}")));
    }
    violations
}
