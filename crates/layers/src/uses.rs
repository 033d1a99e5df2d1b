//! Which module of a package takes which names from which other.
//!
//! A use is a name that the code of a module mentions, or an import for itself. A module that only
//! hands on what is defined below it (`mod x; pub use x::Name;`) does not use it. A name that comes
//! through a module beside its definition is taken from both.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::package::{Definition, Import, ModuleId, Package};
use crate::resolve::{Place, Target};

/// What the modules of a package use.
#[derive(Default)]
pub(crate) struct Uses {
    /// The names that the first module takes from the second.
    pub(crate) taken: BTreeMap<(ModuleId, ModuleId), BTreeSet<String>>,
    /// Paths into other packages, with the modules that name them.
    pub(crate) external: BTreeMap<String, BTreeSet<ModuleId>>,
}

impl Uses {
    /// Finds out what the modules of a package use.
    pub(crate) fn of(package: &Package) -> Self {
        let mut uses = Self::default();
        for (id, module) in package.modules.iter().enumerate() {
            for target in module.mentions.iter().filter_map(|path| package.resolve(id, path)) {
                uses.take(package, id, target);
            }
            let named = module.names.values().flatten().filter_map(|definition| match definition {
                Definition::Import(import) => Some(import),
                _ => None,
            });
            for import in named.chain(&module.nameless) {
                uses.import(package, id, import);
            }
            for glob in module.globs.iter().filter(|glob| glob.is_reexport) {
                uses.import(package, id, glob);
            }
        }
        uses
    }

    /// Takes what an import names. A re-export also takes a module, of which it hands on the names.
    fn import(&mut self, package: &Package, module: ModuleId, import: &Import) {
        let Some(mut target) = package.resolve(module, &import.path) else { return };
        if import.is_reexport {
            let (Place::Item(defining, _) | Place::Module(defining)) = target.place else { return };
            if package.ancestors(defining).any(|above| above == module) {
                return;
            }
            if let Place::Module(_) = target.place {
                target.place = Place::Item(defining, package.modules[defining].name.clone());
            }
        }
        self.take(package, module, target);
    }

    fn take(&mut self, package: &Package, module: ModuleId, Target { place, through }: Target) {
        match place {
            // What is used of it is mentioned by itself.
            Place::Module(_) => {}
            Place::External(path) => drop(self.external.entry(path.join("::")).or_default().insert(module)),
            Place::Item(defining, name) => {
                let is_above = |other: ModuleId| package.ancestors(defining).any(|above| above == other);
                for from in through.into_iter().filter(|&other| !is_above(other)).chain([defining]) {
                    if from != module {
                        self.taken.entry((module, from)).or_default().insert(name.clone());
                    }
                }
            }
        }
    }

    /// The graph of files, and the names that tie them.
    pub(crate) fn between_files(&self, package: &Package) -> Graph {
        self.between(package, |module| package.path(module).to_owned())
    }

    /// The graph of top-level modules.
    pub(crate) fn between_modules(&self, package: &Package) -> Graph {
        self.between(package, |module| package.top_level(module).to_owned())
    }

    /// A root that only declares modules is left out.
    fn between(&self, package: &Package, place: impl Fn(ModuleId) -> String) -> Graph {
        let mut graph = Graph::default();
        for &(from, to) in self.taken.keys() {
            graph.add_edge(place(from), place(to));
        }
        let is_root = |module: &ModuleId| package.modules[*module].parent.is_none();
        for module in (0..package.modules.len()).filter(|module| package.modules.len() == 1 || !is_root(module)) {
            graph.add_node(place(module));
        }
        graph
    }
}
