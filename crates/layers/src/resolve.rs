//! From a path in the code to the module that defines what it names.
//!
//! It follows imports and re-exports, also those by `*`. It knows nothing of what macros define: a
//! path that leads into a module and no further ends there.

use crate::package::{Definition, Import, ModuleId, Package};

/// Where a path leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) place: Place,
    /// Modules that import or re-export the name, in the order in which the path goes through them.
    pub(crate) through: Vec<ModuleId>,
}

/// The end of a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// A module itself.
    Module(ModuleId),
    /// Something that a module defines, by its name there.
    Item(ModuleId, String),
    /// Something of another package, by its whole path.
    External(Vec<String>),
}

/// Lookups that are under way: an import by `*` can lead back to its own module.
type Pending = Vec<(ModuleId, String, bool)>;

impl Target {
    fn new(place: Place) -> Self {
        Self { place, through: Vec::new() }
    }
}

impl Package {
    /// Finds what a path means in a module; nothing for variables, type parameters, and names that
    /// every module has.
    pub(crate) fn resolve(&self, module: ModuleId, path: &[String]) -> Option<Target> {
        self.follow(module, path, &mut Pending::new())
    }

    fn follow(&self, module: ModuleId, path: &[String], pending: &mut Pending) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(self.root_of(module), rest, pending),
            "self" => self.walk(module, rest, pending),
            "super" => {
                let supers = rest.iter().take_while(|segment| *segment == "super").count();
                self.walk(self.ancestors(module).nth(supers + 1)?, &rest[supers..], pending)
            }
            "" => Some(self.of_package(rest, pending)),
            _ if self.look_up(module, first, rest.is_empty(), &mut pending.clone()).is_some() => {
                self.walk(module, path, pending)
            }
            _ if rest.is_empty() => None,
            _ => Some(self.of_package(path, pending)),
        }
    }

    /// A path whose first segment names a package: the library of this one, or another.
    fn of_package(&self, path: &[String], pending: &mut Pending) -> Target {
        let own = self.name.replace('-', "_");
        let library = self.library.filter(|_| path.first() == Some(&own));
        let found = library.and_then(|library| self.walk(library, &path[1..], pending));
        found.unwrap_or_else(|| Target::new(Place::External(path.to_vec())))
    }

    /// Follows a path from a module into its children.
    fn walk(&self, mut module: ModuleId, path: &[String], pending: &mut Pending) -> Option<Target> {
        let mut through = Vec::new();
        for (at, segment) in path.iter().enumerate() {
            let is_last = at + 1 == path.len();
            let Some(mut found) = self.look_up(module, segment, is_last, pending) else {
                // Macros define it.
                let place = Place::Item(module, segment.clone());
                return Some(Target { place, through });
            };
            through.append(&mut found.through);
            match found.place {
                Place::Module(next) => module = next,
                // What follows are variants or associated items.
                Place::Item(..) => return Some(Target { place: found.place, through }),
                Place::External(mut external) => {
                    external.extend_from_slice(&path[at + 1..]);
                    return Some(Target { place: Place::External(external), through });
                }
            }
        }
        Some(Target { place: Place::Module(module), through })
    }

    /// Finds a name in a module. The last segment of a path is rather an item than a module; all
    /// others are rather a module.
    fn look_up(&self, module: ModuleId, name: &str, is_last: bool, pending: &mut Pending) -> Option<Target> {
        let lookup = (module, name.to_owned(), is_last);
        if pending.contains(&lookup) {
            return None;
        }
        pending.push(lookup);
        let found = self.candidates(module, name, pending);
        pending.pop();
        let is_module = |target: &&Target| matches!(target.place, Place::Module(_));
        let preferred = found.iter().find(|target| is_module(target) != is_last);
        preferred.or_else(|| found.first()).cloned()
    }

    /// All that a name may mean in a module.
    fn candidates(&self, module: ModuleId, name: &str, pending: &mut Pending) -> Vec<Target> {
        let mut found = Vec::new();
        for definition in self.modules[module].names.get(name).into_iter().flatten() {
            match definition {
                Definition::Module(child) => found.push(Target::new(Place::Module(*child))),
                Definition::Item => found.push(Target::new(Place::Item(module, name.to_owned()))),
                Definition::Import(import) => found.extend(self.imported(module, import, pending)),
            }
        }
        if found.is_empty() {
            for glob in &self.modules[module].globs {
                let of_glob = self.follow(module, &glob.path, pending);
                let Some(Target { place: Place::Module(from), .. }) = of_glob else { continue };
                let target = self.look_up(from, name, true, pending);
                found.extend(target.map(|target| passed_on(module, target)));
            }
        }
        found
    }

    /// What an import of a module means.
    fn imported(&self, module: ModuleId, import: &Import, pending: &mut Pending) -> Option<Target> {
        self.follow(module, &import.path, pending).map(|target| passed_on(module, target))
    }
}

/// The same, seen through a module that imports it.
fn passed_on(module: ModuleId, mut target: Target) -> Target {
    target.through.insert(0, module);
    target
}
