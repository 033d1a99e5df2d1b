//! Reads a zone file and the files that it includes: directives, and the order of records.
//!
//! The configuration reader of the server calls [`load()`]. It reports every wrong line, and
//! returns no zone then.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::build::{build, fill_in_ttls};
use super::entries::{Entries, Entry, Token};
use super::generate::{Range, substitute};
use super::include::ReadIncluded;
use super::problems::{Kind, Problems};
use super::record::{Record, Scope, parse_name};
use super::ttl::read_ttl;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::name::Name;
use crate::zone::{Rtype, Zone};

/// The most records that `$GENERATE` makes in a zone, so that a file cannot exhaust memory.
const MAX_GENERATED: usize = 1 << 18;

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
    load_with_shared_names(source, path, apex, files, &HashSet::new(), diagnostics)
}

/// Builds a zone as [`load()`] does. `shared` are names that [`Zone::share`] will give addresses: no
/// warning says that they have none.
pub fn load_with_shared_names(
    source: Source,
    path: &Path,
    apex: &Name,
    files: &dyn ReadIncluded,
    shared: &HashSet<Name>,
    diagnostics: &mut Diagnostics,
) -> Option<Zone> {
    let mut loader = Loader { files, apex, records: Vec::new(), generated: 0, problems: Problems::default() };
    let root = Arc::new(source);
    loader.read_file(&root, path, Scope::new(apex), &[]);
    fill_in_ttls(&mut loader.records, &mut loader.problems);
    let zone = build(apex, &root, &loader.records, shared, &mut loader.problems);
    let has_failed = loader.problems.has_errors();
    diagnostics.append(loader.problems.finish());
    zone.filter(|_| !has_failed)
}

/// The records and problems of the files that were read.
struct Loader<'a> {
    files: &'a dyn ReadIncluded,
    apex: &'a Name,
    records: Vec<Record>,
    /// Number of records that `$GENERATE` made.
    generated: usize,
    problems: Problems,
}

/// A directive: its name and its arguments.
struct Directive<'e> {
    source: &'e Arc<Source>,
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
                    None => Record::read(source, entry, &mut scope, &mut self.problems).map(|record| self.add(record)),
                },
            };
            if let Err(diagnostic) = outcome {
                self.problems.error(diagnostic);
            }
        }
    }

    /// Adds a record, unless it is outside the zone or a part of its signatures.
    fn add(&mut self, record: Record) {
        if !record.owner.is_at_or_below(self.apex) {
            let apex = self.apex;
            self.problems.warn(Kind::OutsideZone, || {
                let warning = record.warning(format!("{} is outside the zone {apex}", record.owner));
                warning.with_hint(format!("the record is left out; names in this zone end in {apex}."))
            });
        } else if is_signature(record.rtype) {
            self.problems.warn(Kind::Signed, || {
                let warning = record.warning("the zone is signed, but signatures are not served");
                warning.with_hint("RRSIG, NSEC, NSEC3, NSEC3PARAM and DNSKEY records are checked and left out")
            });
        } else {
            self.records.push(record);
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
                scope.default_ttl = Some(read_ttl(source, &directive.argument(0, "the TTL")?, &mut self.problems)?);
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
            b"$GENERATE" => self.generate(directive, scope)?,
            _ => {
                let message = format!("unknown directive {}", String::from_utf8_lossy(directive.name.text));
                return Err(source
                    .error(directive.name.span(), message)
                    .with_hint("accepted: $ORIGIN, $TTL, $INCLUDE, $GENERATE"));
            }
        }
        Ok(())
    }

    /// Reads a record per number of a `$GENERATE`. Stops at the first error, which the others would
    /// repeat.
    fn generate(&mut self, directive: &Directive<'_>, scope: &mut Scope) -> Result<(), Diagnostic> {
        let source = directive.source;
        let range_word = directive.argument(0, "the range")?;
        let range = std::str::from_utf8(range_word.text)
            .ok()
            .and_then(Range::parse)
            .ok_or_else(|| source.error(range_word.span(), "not a range").with_hint("for example 1-254, or 0-510/2"))?;
        directive.argument(1, "the owner name")?;
        self.generated += range.count();
        if self.generated > MAX_GENERATED {
            let message = format!("$GENERATE makes more than {MAX_GENERATED} records in this zone");
            return Err(source.error(range_word.span(), message).with_hint("write a wildcard, or a shorter range"));
        }
        let words = &directive.arguments[1..];
        for number in range.numbers() {
            let text =
                |token: &Token<'_>| substitute(token, number).map_err(|message| source.error(token.span(), message));
            let texts = words.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let tokens = words.iter().zip(&texts).map(|(token, text)| Token { text, ..*token }).collect();
            let entry = Entry { blank_owner: false, tokens };
            let record = Record::read(source, &entry, scope, &mut self.problems)?;
            self.add(record);
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

/// Returns true for the types that a signer adds to a zone (RFC 4034, RFC 5155).
fn is_signature(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::DNSKEY | Rtype::NSEC3 | Rtype::NSEC3PARAM)
}

/// The directive of an entry, if it is one: its first word begins with `$` at the start of a line.
fn directive<'e>(source: &'e Arc<Source>, entry: &'e Entry<'e>) -> Option<Directive<'e>> {
    let (&name, arguments) = entry.tokens.split_first()?;
    let is_directive = name.text.starts_with(b"$") && !name.quoted && !entry.blank_owner;
    is_directive.then_some(Directive { source, name, arguments })
}
