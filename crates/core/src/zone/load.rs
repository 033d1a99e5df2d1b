//! Zone files to zones: directives, owners and TTLs, then the checks that need the whole zone.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::{ByOwner, check};
use super::master::{Entries, Entry, Token};
use super::tree::NameTree;
use super::{Owner, Rrset, Rtype, Zone, fields, rdata};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::name::{self, Folded, Name};

/// How deep `$INCLUDE` may nest.
const MAX_INCLUDE_DEPTH: usize = 16;

/// Longest TTL, in seconds (RFC 2181 §8).
const MAX_TTL: u32 = i32::MAX as u32;

/// Reads the files that a zone file includes, so that the loader itself does no I/O.
pub trait ReadIncluded {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(&self, path: &Path) -> io::Result<Source>;

    /// Returns one path per file, so that a file that includes itself through a link is detected.
    fn canonical(&self, path: &Path) -> PathBuf;
}

/// Rejects every `$INCLUDE`.
#[derive(Clone, Copy, Debug)]
pub struct NoIncludes;

impl ReadIncluded for NoIncludes {
    fn read(&self, _: &Path) -> io::Result<Source> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

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
    let mut loader = Loader { apex, files, records: Vec::new(), diagnostics: Diagnostics::default() };
    let scope = Scope { origin: apex.as_wire().to_vec(), default_ttl: None, last_ttl: None, last_owner: None };
    let root = Arc::new(source);
    loader.read_file(&root, path, scope, &[]);
    let zone = loader.build(&root);
    let failed = loader.diagnostics.has_errors();
    diagnostics.append(loader.diagnostics);
    if failed { None } else { zone }
}

/// A record and where it stands.
pub(super) struct Record {
    pub(super) owner: Name,
    pub(super) rtype: Rtype,
    ttl: u32,
    pub(super) rdata: Box<[u8]>,
    pub(super) source: Arc<Source>,
    pub(super) span: Range<usize>,
}

impl Record {
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        self.source.error(self.span.clone(), message)
    }

    pub(super) fn warning(&self, message: impl Into<String>) -> Diagnostic {
        self.source.warning(self.span.clone(), message)
    }

    /// The host that an NS record names.
    pub(super) fn name_server(&self) -> Option<Name> {
        (self.rtype == Rtype::NS).then(|| Name::from_wire(&self.rdata))
    }
}

/// What directives and earlier records say about the next one.
#[derive(Clone)]
struct Scope {
    /// Wire form, letters as written.
    origin: Vec<u8>,
    /// From `$TTL` (RFC 2308 §4).
    default_ttl: Option<u32>,
    /// Of the record before (RFC 1035 §5.1).
    last_ttl: Option<u32>,
    last_owner: Option<Name>,
}

struct Loader<'a> {
    apex: &'a Name,
    files: &'a dyn ReadIncluded,
    records: Vec<Record>,
    diagnostics: Diagnostics,
}

impl Loader<'_> {
    fn read_file(&mut self, source: &Arc<Source>, path: &Path, mut scope: Scope, includers: &[PathBuf]) {
        for entry in Entries::new(source.text()) {
            let outcome = match entry {
                Err(malformed) => Err(source.error(malformed.at, malformed.message)),
                Ok(entry)
                    if entry.tokens[0].text.starts_with(b"$") && !entry.tokens[0].quoted && !entry.blank_owner =>
                {
                    self.directive(source, path, &entry, &mut scope, includers)
                }
                Ok(entry) => record(source, &entry, &mut scope).map(|record| self.records.push(record)),
            };
            if let Err(diagnostic) = outcome {
                self.diagnostics.push(diagnostic);
            }
        }
    }

    fn directive(
        &mut self,
        source: &Source,
        path: &Path,
        entry: &Entry<'_>,
        scope: &mut Scope,
        includers: &[PathBuf],
    ) -> Result<(), Diagnostic> {
        let word = &entry.tokens[0];
        let argument = |i: usize, what: &str| {
            let missing = || source.error(word.span(), format!("{} is missing", what));
            entry.tokens.get(i).copied().ok_or_else(missing)
        };
        let at_most = |count: usize| match entry.tokens.get(count + 1) {
            Some(extra) => Err(source.error(extra.span(), "nothing more is expected here")),
            None => Ok(()),
        };
        match word.text.to_ascii_uppercase().as_slice() {
            b"$ORIGIN" => {
                at_most(1)?;
                scope.origin = parse_name(source, &argument(1, "the origin")?, &scope.origin)?;
            }
            b"$TTL" => {
                at_most(1)?;
                let token = argument(1, "the TTL")?;
                let ttl = ttl(&token).ok_or_else(|| bad_ttl(source, &token))?;
                scope.default_ttl = Some(ttl);
            }
            b"$INCLUDE" => {
                at_most(2)?;
                let file = argument(1, "the name of a file")?;
                // RFC 1035 §5.1: neither the origin nor the last owner of the included file comes back here.
                let mut inner = scope.clone();
                if let Some(origin) = entry.tokens.get(2) {
                    inner.origin = parse_name(source, origin, &scope.origin)?;
                }
                let included = included_path(path, &file);
                // Links and dots may lead to the same file by another name.
                let trail = [includers, &[self.files.canonical(path)]].concat();
                if trail.contains(&self.files.canonical(&included)) {
                    let message = format!("{} includes itself", String::from_utf8_lossy(file.text));
                    return Err(source.error(file.span(), message));
                }
                if trail.len() > MAX_INCLUDE_DEPTH {
                    let message = format!("files include each other more than {MAX_INCLUDE_DEPTH} deep");
                    return Err(source.error(file.span(), message));
                }
                let inner_source = self.files.read(&included).map_err(|error| {
                    let message = format!("included file {} cannot be read: {error}", included.display());
                    source.error(file.span(), message).hint("paths are relative to this file")
                })?;
                self.read_file(&Arc::new(inner_source), &included, inner, &trail);
            }
            _ => {
                let message = format!("unknown directive {}", String::from_utf8_lossy(word.text));
                return Err(source.error(word.span(), message).hint("accepted: $ORIGIN, $TTL, $INCLUDE"));
            }
        }
        Ok(())
    }

    /// Checks the records as a whole and makes the zone of them.
    fn build(&mut self, root: &Source) -> Option<Zone> {
        // What could not be read may be what is missing.
        let all_read = !self.diagnostics.has_errors();
        let mut by_owner = ByOwner::new();
        for record in &self.records {
            if record.owner.is_at_or_below(self.apex) {
                by_owner.entry(&record.owner).or_default().push(record);
            } else {
                let message = format!("{} is outside the zone {}", record.owner, self.apex);
                let hint = format!("names in this zone end in {}.", self.apex);
                self.diagnostics.push(record.error(message).hint(hint));
            }
        }
        let depth = self.apex.labels().count();
        let mut owners = NameTree::<Owner>::new();
        check(self.apex, &by_owner, &mut self.diagnostics);
        for (name, records) in &by_owner {
            let node = owners.insert(Folded::new(name.as_wire()).labels_from_root().skip(depth));
            owners.value_mut(node).rrsets = rrsets(records, &mut self.diagnostics);
        }
        let apex = owners.value(NameTree::<Owner>::ROOT);
        if all_read && apex.rrset(Rtype::NS).is_none() {
            let message = format!("the zone {} has no NS record at its apex", self.apex);
            self.diagnostics.push(root.error(0..0, message).hint("for example: @ NS ns1"));
        }
        let Some(soa) = apex.rrset(Rtype::SOA).cloned() else {
            let message = format!("the zone {} has no SOA record", self.apex);
            let hint = "for example: @ SOA ns1 hostmaster 1 3600 900 604800 5";
            if all_read {
                self.diagnostics.push(root.error(0..0, message).hint(hint));
            }
            return None;
        };
        let negative_ttl = soa.ttl.min(soa_minimum(&soa.rdatas[0]));
        Some(Zone { apex: self.apex.clone(), depth, owners, soa, negative_ttl, shared: Vec::new() })
    }
}

/// The last four bytes of an SOA (RFC 1035 §3.3.13).
fn soa_minimum(rdata: &[u8]) -> u32 {
    rdata.last_chunk().map_or(0, |minimum| u32::from_be_bytes(*minimum))
}

fn included_path(includer: &Path, file: &Token<'_>) -> PathBuf {
    includer.with_file_name(&*String::from_utf8_lossy(file.text))
}

fn parse_name(source: &Source, token: &Token<'_>, origin: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    name::parse_wire(token.text, Some(origin))
        .map_err(|error| source.error(token.span(), format!("not a domain name: {error}")))
}

fn ttl(token: &Token<'_>) -> Option<u32> {
    let word = std::str::from_utf8(token.text).ok().filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    fields::parse_period(word).filter(|&ttl| ttl <= MAX_TTL && !token.quoted)
}

fn bad_ttl(source: &Source, token: &Token<'_>) -> Diagnostic {
    source.error(token.span(), "not a TTL").hint(format!("seconds up to {MAX_TTL}, or with units: 5s, 1h30m, 2d"))
}

/// Reads an entry that is no directive: `[owner] [TTL] [class] type rdata`, TTL and class in either order.
fn record(source: &Arc<Source>, entry: &Entry<'_>, scope: &mut Scope) -> Result<Record, Diagnostic> {
    let mut tokens = entry.tokens.as_slice();
    let first = tokens[0];
    if entry.blank_owner {
        if scope.last_owner.is_none() {
            return Err(source
                .error(first.span(), "no owner name")
                .hint("the first record must begin with one, or with @"));
        }
    } else {
        scope.last_owner = Some(Name::from_wire(&parse_name(source, &first, &scope.origin)?));
        tokens = &tokens[1..];
    }
    let owner = scope.last_owner.clone().expect("set or checked just above");
    let (mut own_ttl, mut class_seen) = (None, false);
    let rtype = loop {
        let Some((token, rest)) = tokens.split_first() else {
            let message = format!("no record type for {owner}");
            return Err(source.error(entry_span(entry), message).hint("a record is: owner [TTL] [IN] type data"));
        };
        tokens = rest;
        let word = String::from_utf8_lossy(token.text);
        if own_ttl.is_none() && word.starts_with(|c: char| c.is_ascii_digit()) {
            own_ttl = Some(ttl(token).ok_or_else(|| bad_ttl(source, token))?);
        } else if !class_seen && (word.eq_ignore_ascii_case("IN") || word.eq_ignore_ascii_case("CLASS1")) {
            class_seen = true;
        } else if let Some(rtype) = Rtype::parse(&word) {
            break rtype.map_err(|why| source.error(token.span(), format!("{}: {why}", word.to_ascii_uppercase())))?;
        } else {
            let message = match word.to_ascii_uppercase().as_str() {
                class @ ("CH" | "HS" | "CS") => format!("class {class} is not served, only IN"),
                _ => format!("\"{word}\" is no record type, TTL or class"),
            };
            return Err(source.error(token.span(), message).hint(format!("types: {}, TYPEnnn", Rtype::mnemonics())));
        }
    };
    let rdata = rdata::read(rtype, tokens, &scope.origin).map_err(|bad| {
        let last = entry.tokens[entry.tokens.len() - 1].span();
        let span = bad.token.and_then(|i| tokens.get(i)).map_or(last.end..last.end, Token::span);
        source.error(span, format!("{rtype} of {owner}: {}", bad.message))
    })?;
    let ttl = own_ttl.or(scope.default_ttl).or(scope.last_ttl).ok_or_else(|| {
        source.error(entry_span(entry), format!("no TTL for {owner}")).hint("give one here, or for all with $TTL above")
    })?;
    scope.last_ttl = Some(ttl);
    Ok(Record { owner, rtype, ttl, rdata: rdata.into(), source: Arc::clone(source), span: entry_span(entry) })
}

/// The words of an entry, from the first to the last.
fn entry_span(entry: &Entry<'_>) -> Range<usize> {
    entry.tokens[0].offset..entry.tokens[entry.tokens.len() - 1].span().end
}

/// Gathers one owner's records into RRsets, each record once (RFC 2181 §5).
fn rrsets(records: &[&Record], diagnostics: &mut Diagnostics) -> Vec<Rrset> {
    let mut sorted: Vec<&Record> = records.to_vec();
    sorted.sort_by(|a, b| (a.rtype, &a.rdata).cmp(&(b.rtype, &b.rdata)));
    let mut rrsets = Vec::new();
    for group in sorted.chunk_by(|a, b| a.rtype == b.rtype) {
        let ttl = group.iter().map(|record| record.ttl).min().unwrap_or_default();
        if let Some(longer) = group.iter().find(|record| record.ttl != ttl) {
            let message = format!("the {} records of {} have different TTLs", longer.rtype, longer.owner);
            let hint = format!("the shortest, {ttl}, is used for all (RFC 2181 §5.2)");
            diagnostics.push(longer.warning(message).hint(hint));
        }
        let mut rdatas: Vec<Box<[u8]>> = group.iter().map(|record| record.rdata.clone()).collect();
        rdatas.dedup();
        rrsets.push(Rrset { rtype: group[0].rtype, ttl, rdatas });
    }
    rrsets
}
