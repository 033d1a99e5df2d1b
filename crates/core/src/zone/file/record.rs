//! One record of a zone file: `[owner] [TTL] [class] type rdata` (RFC 1035 §5.1).

use std::ops::Range;
use std::sync::Arc;

use super::entries::{Entry, Token};
use super::problems::{Kind, Problems};
use super::rdata;
use super::ttl::{read_ttl, soa_minimum};
use crate::diagnostic::{Diagnostic, Source, defined};
use crate::name::{self, Name};
use crate::zone::Rtype;

/// A record and its place in a file.
pub(super) struct Record {
    pub(super) owner: Name,
    pub(super) rtype: Rtype,
    /// In seconds; `None` if neither the record nor anything above it has one.
    pub(super) ttl: Option<u32>,
    /// In wire format, with uncompressed names.
    pub(super) rdata: Box<[u8]>,
    pub(super) source: Arc<Source>,
    pub(super) span: Range<usize>,
}

/// The values that an entry takes from the entries above it.
#[derive(Clone)]
pub(super) struct Scope {
    /// In wire format, with its letters as written.
    pub(super) origin: Vec<u8>,
    /// From `$TTL` (RFC 2308 §4).
    pub(super) default_ttl: Option<u32>,
    /// TTL of the latest record (RFC 1035 §5.1).
    last_ttl: Option<u32>,
    /// Owner name of the latest record.
    last_owner: Option<Name>,
}

impl Scope {
    /// The scope at the start of the zone file of this zone.
    pub(super) fn new(apex: &Name) -> Self {
        Self { origin: apex.as_wire().to_vec(), default_ttl: None, last_ttl: None, last_owner: None }
    }
}

impl Record {
    /// Reads an entry that is not a directive. TTL and class can have either order.
    ///
    /// # Errors
    /// The first problem of the entry.
    pub(super) fn read(
        source: &Arc<Source>,
        entry: &Entry<'_>,
        scope: &mut Scope,
        problems: &mut Problems,
    ) -> Result<Self, Diagnostic> {
        let (owner, mut tokens) = read_owner(source, entry, scope)?;
        let (mut own_ttl, mut has_class) = (None, false);
        let rtype = loop {
            let Some((token, rest)) = tokens.split_first() else {
                let message = format!("no record type for {owner}");
                return Err(source.error(span(entry), message).with_hint("a record is: owner [TTL] [IN] type data"));
            };
            tokens = rest;
            let word = String::from_utf8_lossy(token.text);
            if own_ttl.is_none() && word.starts_with(|c: char| c.is_ascii_digit()) {
                own_ttl = Some(read_ttl(source, token, problems)?);
            } else if !has_class && (word.eq_ignore_ascii_case("IN") || word.eq_ignore_ascii_case("CLASS1")) {
                has_class = true;
            } else {
                break read_type(source, token, &owner, rest.first())?;
            }
        };
        let rdata = rdata::read(rtype, tokens, &scope.origin).map_err(|error| {
            let last = entry.tokens[entry.tokens.len() - 1].span();
            let span = error.token.and_then(|i| tokens.get(i)).map_or(last.end..last.end, Token::span);
            source.error(span, format!("{rtype} of {owner}: {}", error.message))
        })?;
        let mut ttl = own_ttl.or(scope.default_ttl).or(scope.last_ttl);
        if ttl.is_none() && rtype == Rtype::SOA {
            ttl = soa_minimum(&rdata);
            scope.default_ttl = ttl;
            problems.warn(Kind::MissingTtl, || {
                let message = format!("no TTL for the SOA record of {owner}");
                let hint = format!("its MINIMUM, {}, is used; add $TTL above all records", ttl.unwrap_or_default());
                source.warning(span(entry), message).with_hint(hint)
            });
        }
        scope.last_ttl = ttl;
        Ok(Self { owner, rtype, ttl, rdata: rdata.into(), source: Arc::clone(source), span: span(entry) })
    }

    /// An error at the record.
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        self.source.error(self.span.clone(), message)
    }

    /// A warning at the record.
    pub(super) fn warning(&self, message: impl Into<String>) -> Diagnostic {
        self.source.warning(self.span.clone(), message)
    }

    /// The name server that an NS record names.
    pub(super) fn name_server(&self) -> Option<Name> {
        (self.rtype == Rtype::NS).then(|| Name::from_wire(&self.rdata))
    }
}

/// Reads the owner name of an entry, and returns it with the words after it.
fn read_owner<'e, 't>(
    source: &Source,
    entry: &'e Entry<'t>,
    scope: &mut Scope,
) -> Result<(Name, &'e [Token<'t>]), Diagnostic> {
    let tokens = entry.tokens.as_slice();
    let first = tokens[0];
    if entry.blank_owner {
        // Without a record above, it is the origin.
        let owner = scope.last_owner.get_or_insert_with(|| Name::from_wire(&scope.origin)).clone();
        return Ok((owner, tokens));
    }
    let owner = Name::from_wire(&parse_name(source, &first, &scope.origin)?);
    scope.last_owner = Some(owner.clone());
    Ok((owner, &tokens[1..]))
}

/// Reads the type of a record. `data` is the word after it.
fn read_type(source: &Source, token: &Token<'_>, owner: &Name, data: Option<&Token<'_>>) -> Result<Rtype, Diagnostic> {
    let word = String::from_utf8_lossy(token.text);
    let Some(rtype) = Rtype::from_mnemonic(&word) else {
        return Err(match word.to_ascii_uppercase().as_str() {
            pseudo @ ("DYNA" | "DYNC") => gdnsd_type(source, token, pseudo, owner, data),
            _ => unknown_type(source, token, &word),
        });
    };
    match rdata::refusal(rtype) {
        Some(why) => Err(source.error(token.span(), format!("{}: {why}", word.to_ascii_uppercase()))),
        None => Ok(rtype),
    }
}

/// The error for a word in the place of a type.
fn unknown_type(source: &Source, token: &Token<'_>, word: &str) -> Diagnostic {
    let upper = word.to_ascii_uppercase();
    let class = upper.strip_prefix("CLASS").is_some_and(|number| number.parse::<u16>().is_ok());
    let (message, hint) = match upper.as_str() {
        "CH" | "HS" | "CS" | "NONE" => (format!("class {upper} is not served, only IN"), String::new()),
        _ if class => (format!("class {upper} is not served, only IN"), String::new()),
        _ => (format!("\"{word}\" is not a record type, TTL or class"), defined("type", word, rdata::mnemonics())),
    };
    source.error(token.span(), message).with_hint(hint)
}

/// The error for a pseudo type of gdnsd. It shows the sections of the configuration that do the same.
fn gdnsd_type(source: &Source, token: &Token<'_>, pseudo: &str, owner: &Name, data: Option<&Token<'_>>) -> Diagnostic {
    // The data is the name of a plugin, and of a resource after an exclamation mark.
    let data = data.map_or_else(|| "web".into(), |data| String::from_utf8_lossy(data.text));
    let pool = data.rsplit('!').next().unwrap_or_default();
    let hint = format!(
        "in the configuration of evenkeel, [pools.{pool}] has the nodes, and [names.\"{owner}\"] with pool = \
         \"{pool}\" answers with their addresses"
    );
    source.error(token.span(), format!("{pseudo} is a type of gdnsd only")).with_hint(hint)
}

/// Reads a name into wire format.
pub(super) fn parse_name(source: &Source, token: &Token<'_>, origin: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    name::parse_wire(token.text, Some(origin))
        .map_err(|error| source.error(token.span(), format!("not a domain name: {error}")))
}

/// Byte range of an entry, from its first token to its last.
fn span(entry: &Entry<'_>) -> Range<usize> {
    entry.tokens[0].offset..entry.tokens[entry.tokens.len() - 1].span().end
}
