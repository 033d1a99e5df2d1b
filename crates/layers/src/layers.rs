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
}

/// The layers: commands and server at the top, the core and the client library at the bottom.
pub(crate) const LAYERS: &[Layer] = &[
    Layer {
        package: "evenkeel",
        may_use: &["evenkeel-core", "evenkeel-client", "evenkeel-fake-core"],
        without: &[],
        must_not_name: &[],
    },
    // Pure: no runtime, no sockets, no files, no clock, so that every decision can be tested by
    // itself, and repeated.
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
            "std::time::Instant",
            "std::time::SystemTime",
        ],
    },
    Layer { package: "evenkeel-client", may_use: &[], without: &[], must_not_name: &[] },
    Layer { package: "evenkeel-fake-core", may_use: &[], without: &[], must_not_name: &[] },
    Layer { package: "evenkeel-bench-tools", may_use: &[], without: &[], must_not_name: &[] },
    Layer { package: "evenkeel-layers", may_use: &[], without: &[], must_not_name: &[] },
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
        if !layer.without.is_empty() {
            let (_, all) = workspace::dependencies(&package.name)?;
            let is_forbidden = |versioned: &&String| layer.without.contains(&versioned.split(' ').next().unwrap_or(""));
            let forbidden = all.iter().filter(is_forbidden);
            violations.extend(forbidden.map(|found| format!("{} must not depend on {found}", package.name)));
        }
    }
    Ok(violations)
}

/// Describes the paths that a package names in spite of its layer.
pub(crate) fn forbidden_paths(package: &Package, uses: &Uses, layer: &Layer) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, modules) in &uses.foreign {
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
