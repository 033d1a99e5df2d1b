//! Reads a zone file and the files that it includes: directives, and the order of records.
//!
//! The configuration reader of the server calls [`load()`]. It reports every wrong line, and
//! returns no zone then.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::build::build;
use super::entries::{Entries, Entry, Token};
use super::include::ReadIncluded;
use super::record::{Record, Scope, parse_name, parse_ttl};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::name::Name;
use crate::zone::Zone;

/// How deep `$INCLUDE` may nest.
const MAX_INCLUDE_DEPTH: usize = 16;

/// Builds a zone from a zone file and the files that it includes, relative to `path`.
///
/// Adds errors and warnings to `diagnostics`. Returns `None` if there is an error.
pub fn load(
    source: Source,
    path: &Path,
    apex: &Name,
    files: &dyn ReadIncluded,
    diagnostics: &mut Diagnostics,
) -> Option<Zone> {
    let mut loader = Loader { files, records: Vec::new(), diagnostics: Diagnostics::default() };
    let root = Arc::new(source);
    loader.read_file(&root, path, Scope::new(apex), &[]);
    let zone = build(apex, &root, &loader.records, &mut loader.diagnostics);
    let has_failed = loader.diagnostics.has_errors();
    diagnostics.append(loader.diagnostics);
    zone.filter(|_| !has_failed)
}

/// The records and problems of the files that were read.
struct Loader<'a> {
    files: &'a dyn ReadIncluded,
    records: Vec<Record>,
    diagnostics: Diagnostics,
}

/// A directive: its name and its arguments.
struct Directive<'e> {
    source: &'e Source,
    name: Token<'e>,
    arguments: &'e [Token<'e>],
}

impl<'e> Directive<'e> {
    /// The argument at an index. `what` describes it for users.
    fn argument(&self, index: usize, what: &str) -> Result<Token<'e>, Diagnostic> {
        let missing = || self.source.error(self.name.span(), format!("{what} is missing"));
        self.arguments.get(index).copied().ok_or_else(missing)
    }

    /// Returns an error if there are more arguments than `count`.
    fn reject_more_than(&self, count: usize) -> Result<(), Diagnostic> {
        match self.arguments.get(count) {
            Some(extra) => Err(self.source.error(extra.span(), "nothing more is expected here")),
            None => Ok(()),
        }
    }
}

impl Loader<'_> {
    /// Reads one file. `includers` are the files that include it, from the zone file on.
    fn read_file(&mut self, source: &Arc<Source>, path: &Path, mut scope: Scope, includers: &[PathBuf]) {
        for entry in Entries::new(source.text()) {
            let outcome = match &entry {
                Err(malformed) => Err(source.error(malformed.at.clone(), malformed.message)),
                Ok(entry) => match directive(source, entry) {
                    Some(directive) => self.follow(&directive, path, &mut scope, includers),
                    None => Record::read(source, entry, &mut scope).map(|record| self.records.push(record)),
                },
            };
            if let Err(diagnostic) = outcome {
                self.diagnostics.push(diagnostic);
            }
        }
    }

    /// Follows a directive.
    fn follow(
        &mut self,
        directive: &Directive<'_>,
        path: &Path,
        scope: &mut Scope,
        includers: &[PathBuf],
    ) -> Result<(), Diagnostic> {
        let source = directive.source;
        match directive.name.text.to_ascii_uppercase().as_slice() {
            b"$ORIGIN" => {
                directive.reject_more_than(1)?;
                scope.origin = parse_name(source, &directive.argument(0, "the origin")?, &scope.origin)?;
            }
            b"$TTL" => {
                directive.reject_more_than(1)?;
                scope.default_ttl = Some(parse_ttl(source, &directive.argument(0, "the TTL")?)?);
            }
            b"$INCLUDE" => {
                directive.reject_more_than(2)?;
                let file = directive.argument(0, "the name of a file")?;
                // RFC 1035 §5.1: an included file changes neither the origin nor the last owner
                // name of the file that includes it.
                let mut inner = scope.clone();
                if let Some(origin) = directive.arguments.get(1) {
                    inner.origin = parse_name(source, origin, &scope.origin)?;
                }
                self.include(source, path, &file, inner, includers)?;
            }
            _ => {
                let message = format!("unknown directive {}", String::from_utf8_lossy(directive.name.text));
                return Err(source
                    .error(directive.name.span(), message)
                    .with_hint("accepted: $ORIGIN, $TTL, $INCLUDE"));
            }
        }
        Ok(())
    }

    /// Reads the file that `$INCLUDE` names in the file at `path`.
    fn include(
        &mut self,
        source: &Source,
        path: &Path,
        file: &Token<'_>,
        scope: Scope,
        includers: &[PathBuf],
    ) -> Result<(), Diagnostic> {
        let name = String::from_utf8_lossy(file.text);
        let included = path.with_file_name(&*name);
        // Links and dots can give the same file other names.
        let includers = [includers, &[self.files.canonical(path)]].concat();
        if includers.contains(&self.files.canonical(&included)) {
            return Err(source.error(file.span(), format!("{name} includes itself")));
        }
        if includers.len() > MAX_INCLUDE_DEPTH {
            let message = format!("files include each other more than {MAX_INCLUDE_DEPTH} deep");
            return Err(source.error(file.span(), message));
        }
        let included_source = self.files.read(&included).map_err(|error| {
            let message = format!("included file {} cannot be read: {error}", included.display());
            source.error(file.span(), message).with_hint("paths are relative to this file")
        })?;
        self.read_file(&Arc::new(included_source), &included, scope, &includers);
        Ok(())
    }
}

/// The directive of an entry, if it is one: its first word begins with `$` at the start of a line.
fn directive<'e>(source: &'e Source, entry: &'e Entry<'e>) -> Option<Directive<'e>> {
    let (&name, arguments) = entry.tokens.split_first()?;
    let is_directive = name.text.starts_with(b"$") && !name.quoted && !entry.blank_owner;
    is_directive.then_some(Directive { source, name, arguments })
}
