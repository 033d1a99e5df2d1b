//! The files and modules of a package, found by its `mod` declarations.
//!
//! Code that only tests see (`#[cfg(test)]`, `#[test]`) is left out. A file that cannot be parsed
//! is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::{Attribute, Item, ItemMod, Lit, Meta, UseTree, Visibility};

use crate::mentions::{Function, Mentions, is_test_only, lines_of};

/// Place of a module among [`Package::modules`].
pub(crate) type ModuleId = usize;

/// A package of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// One line about it, from its manifest.
    pub(crate) description: String,
    /// The modules, each after the one that declares it.
    pub(crate) modules: Vec<Module>,
    /// The files, in the order in which they are declared.
    pub(crate) files: Vec<File>,
    /// The root module of the library.
    pub(crate) library: Option<ModuleId>,
    /// Packages of the workspace that it depends on, tests and benchmarks aside.
    pub(crate) siblings: BTreeSet<String>,
}

/// A source file.
pub(crate) struct File {
    /// From the root of the workspace.
    pub(crate) path: String,
    pub(crate) lines: usize,
    /// Lines of unit tests among them.
    pub(crate) test_lines: usize,
    pub(crate) functions: Vec<Function>,
}

/// A module: a file, or an inline part of one.
pub(crate) struct Module {
    pub(crate) parent: Option<ModuleId>,
    pub(crate) name: String,
    /// Place of its file among [`Package::files`].
    pub(crate) file: usize,
    /// What its names mean. The same name can be a module and a function.
    pub(crate) names: BTreeMap<String, Vec<Definition>>,
    /// `use path::*`.
    pub(crate) globs: Vec<Import>,
    /// `use path as _`.
    pub(crate) nameless: Vec<Import>,
    /// The paths that its code names.
    pub(crate) mentions: BTreeSet<Vec<String>>,
    /// Names of the methods that its code calls.
    pub(crate) methods: BTreeSet<String>,
}

/// What a name in a module means.
#[derive(Clone)]
pub(crate) enum Definition {
    /// A module that is declared there.
    Module(ModuleId),
    /// Anything else that is defined there.
    Item,
    /// Something from elsewhere.
    Import(Import),
}

/// One name of a `use` declaration.
#[derive(Clone)]
pub(crate) struct Import {
    /// Its first segment is empty if it begins with `::`.
    pub(crate) path: Vec<String>,
    /// Whether it hands the name on: `pub use`, `pub(crate) use`.
    pub(crate) is_reexport: bool,
}

impl Package {
    /// Reads the sources that belong to these roots: `lib.rs`, `main.rs`.
    ///
    /// # Errors
    /// A file is missing or is not Rust; the message names it.
    pub(crate) fn read(name: &str, workspace: &Path, library: Option<&Path>, programs: &[PathBuf]) -> Result<Self> {
        let mut reader = Reader { workspace, modules: Vec::new(), files: Vec::new() };
        let library = library.map(|root| reader.root(root)).transpose()?;
        for program in programs {
            reader.root(program)?;
        }
        let Reader { modules, files, .. } = reader;
        let (name, description) = (name.to_owned(), String::new());
        Ok(Self { name, description, modules, files, library, siblings: BTreeSet::new() })
    }

    /// The root of the module's tree: of the library, or of a program.
    pub(crate) fn root_of(&self, module: ModuleId) -> ModuleId {
        self.ancestors(module).last().unwrap_or(module)
    }

    /// The module, the one that declares it, and so on to the root.
    pub(crate) fn ancestors(&self, module: ModuleId) -> impl Iterator<Item = ModuleId> {
        std::iter::successors(Some(module), |&module| self.modules[module].parent)
    }

    /// Name of the top-level module that holds a module; of a root, that of its file.
    pub(crate) fn top_level(&self, module: ModuleId) -> &str {
        let top = self.ancestors(module).filter(|&module| self.modules[module].parent.is_some()).last();
        &self.modules[top.unwrap_or(module)].name
    }

    /// Path of a module's file.
    pub(crate) fn path(&self, module: ModuleId) -> &str {
        &self.files[self.modules[module].file].path
    }
}

/// What is read so far.
struct Reader<'w> {
    workspace: &'w Path,
    modules: Vec<Module>,
    files: Vec<File>,
}

impl Reader<'_> {
    /// Reads a root and all that it declares.
    fn root(&mut self, path: &Path) -> Result<ModuleId> {
        let directory = path.parent().unwrap_or(path).to_owned();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.file(None, &name, path, &directory)
    }

    /// Reads a file; its child modules are files in `directory`.
    fn file(&mut self, parent: Option<ModuleId>, name: &str, path: &Path, directory: &Path) -> Result<ModuleId> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let source = syn::parse_file(&text).with_context(|| format!("{} cannot be parsed", path.display()))?;
        let shown = path.strip_prefix(self.workspace).unwrap_or(path);
        self.files.push(File {
            path: shown.display().to_string(),
            lines: text.lines().count(),
            test_lines: 0,
            functions: Vec::new(),
        });
        self.module(parent, name, self.files.len() - 1, &source.items, directory)
    }

    /// Takes the items of a module.
    fn module(
        &mut self,
        parent: Option<ModuleId>,
        name: &str,
        file: usize,
        items: &[Item],
        directory: &Path,
    ) -> Result<ModuleId> {
        let id = self.modules.len();
        self.modules.push(Module {
            parent,
            name: name.to_owned(),
            file,
            names: BTreeMap::new(),
            globs: Vec::new(),
            nameless: Vec::new(),
            mentions: BTreeSet::new(),
            methods: BTreeSet::new(),
        });
        let mut mentions = Mentions::default();
        for item in items {
            if is_test_only(item) {
                self.files[file].test_lines += lines_of(item);
                continue;
            }
            match item {
                Item::Mod(declared) => {
                    let child = self.child(id, file, declared, directory)?;
                    self.define(id, &declared.ident.to_string(), Definition::Module(child));
                }
                item => {
                    if let Some(name) = name_of(item) {
                        self.define(id, &name, Definition::Item);
                    }
                    mentions.take(item);
                }
            }
        }
        let Mentions { paths, methods, uses, functions, .. } = mentions;
        (self.modules[id].mentions, self.modules[id].methods) = (paths, methods);
        self.files[file].functions.extend(functions);
        for declared in uses {
            let path = declared.leading_colon.iter().map(|_| String::new()).collect();
            self.import(id, !matches!(declared.vis, Visibility::Inherited), &declared.tree, path);
        }
        Ok(id)
    }

    /// Reads a child module, inline or from its file.
    fn child(&mut self, parent: ModuleId, file: usize, declared: &ItemMod, directory: &Path) -> Result<ModuleId> {
        let name = declared.ident.to_string();
        let own = directory.join(&name);
        if let Some((_, items)) = &declared.content {
            return self.module(Some(parent), &name, file, items, &own);
        }
        if let Some(path) = path_attribute(&declared.attrs) {
            let beside = self.workspace.join(&self.files[file].path);
            let path = beside.parent().unwrap_or(directory).join(path);
            let directory = path.parent().unwrap_or(directory).to_owned();
            return self.file(Some(parent), &name, &path, &directory);
        }
        let short = directory.join(format!("{name}.rs"));
        let path = if short.exists() { short } else { own.join("mod.rs") };
        self.file(Some(parent), &name, &path, &own)
    }

    fn define(&mut self, module: ModuleId, name: &str, definition: Definition) {
        self.modules[module].names.entry(name.to_owned()).or_default().push(definition);
    }

    /// Takes the names of a `use` declaration.
    fn import(&mut self, module: ModuleId, is_reexport: bool, tree: &UseTree, mut path: Vec<String>) {
        match tree {
            UseTree::Path(segment) => {
                path.push(segment.ident.to_string());
                self.import(module, is_reexport, &segment.tree, path);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(module, is_reexport, tree, path.clone());
                }
            }
            UseTree::Glob(_) => self.modules[module].globs.push(Import { path, is_reexport }),
            UseTree::Name(name) => {
                if name.ident != "self" {
                    path.push(name.ident.to_string());
                }
                let name = path.last().cloned().unwrap_or_default();
                self.define(module, &name, Definition::Import(Import { path, is_reexport }));
            }
            UseTree::Rename(rename) => {
                if rename.ident != "self" {
                    path.push(rename.ident.to_string());
                }
                let import = Import { path, is_reexport };
                match rename.rename.to_string().as_str() {
                    "_" => self.modules[module].nameless.push(import),
                    name => self.define(module, name, Definition::Import(import)),
                }
            }
        }
    }
}

/// The name that an item defines in its module.
fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// The file that `#[path = "…"]` names.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(literal) => match &literal.lit {
                Lit::Str(path) => Some(path.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
