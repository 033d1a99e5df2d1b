//! The checks that need all records of a zone: CNAME and other data, names below
//! DNAME records, delegations, name servers.
//!
//! `build` calls [`check`] before it makes the zone.

use std::collections::HashSet;

use super::owners::ByOwner;
use super::problems::{Kind, Problems};
use super::rdata::canonical;
use super::record::Record;
use crate::name::{self, Name};
use crate::zone::Rtype;

/// A zone while it is checked.
struct Check<'r, 'p> {
    apex: &'r Name,
    owners: &'r ByOwner<'r>,
    /// Names whose addresses are drawn from pools.
    shared: &'r HashSet<Name>,
    /// The delegations: owner names of NS records except the apex, in wire format.
    cuts: hashbrown::HashSet<&'r [u8]>,
    /// Owner names of DNAME records, in wire format.
    dnames: hashbrown::HashSet<&'r [u8]>,
    /// All name servers of NS records.
    servers: HashSet<Name>,
    problems: &'p mut Problems,
}

/// Checks each name and each delegation. `shared` are the names whose addresses are drawn from
/// pools.
pub(super) fn check<'r>(apex: &'r Name, owners: &'r ByOwner<'r>, shared: &'r HashSet<Name>, problems: &mut Problems) {
    let servers = owners.iter().flat_map(|(_, records)| records).filter_map(|record| record.name_server()).collect();
    let owners_of =
        |rtype| owners.iter().filter(move |(_, records)| has(records, rtype)).map(|(name, _)| name.as_wire());
    let cuts = owners_of(Rtype::NS).filter(|name| *name != apex.as_wire()).collect();
    let dnames = owners_of(Rtype::DNAME).collect();
    let mut check = Check { apex, owners, shared, cuts, dnames, servers, problems };
    for (name, records) in owners.iter() {
        check.owner(name, records);
        check.name_servers(name, records);
        check.hidden(name, records);
        check.redirected(name, records);
    }
}

impl Check<'_, '_> {
    /// Reports records that one name cannot have together, and records that only the apex can have.
    fn owner(&mut self, name: &Name, records: &[&Record]) {
        let apex = self.apex;
        let of_type = |rtype| records.iter().filter(move |record| record.rtype == rtype);
        let first_soa = of_type(Rtype::SOA).next().filter(|_| name == apex);
        for soa in of_type(Rtype::SOA) {
            match first_soa {
                // A saved zone transfer begins and ends with the SOA record.
                Some(first) if canonical(Rtype::SOA, &first.rdata) == canonical(Rtype::SOA, &soa.rdata) => {}
                Some(_) => {
                    let message = format!("a second SOA record for {name}");
                    self.problems.error(soa.error(message).with_hint("a zone has exactly one"));
                }
                None => {
                    let message = format!("an SOA record at {name}");
                    self.problems.error(soa.error(message).with_hint(format!("it belongs at the apex, {apex}")));
                }
            }
        }
        if let Some(cname) = of_type(Rtype::CNAME).next() {
            self.alias(name, cname, records);
        }
        self.only_one(name, Rtype::DNAME, records, "a name can be redirected to only one name (RFC 6672 §2.4)");
        if name.is_wildcard()
            && name != apex
            && let Some(ns) = of_type(Rtype::NS).next()
        {
            let message = format!("NS record at the wildcard {name}");
            self.problems.error(ns.error(message).with_hint("a wildcard cannot be a delegation (RFC 4592 §4.2)"));
        }
    }

    /// Reports records beside the CNAME record of a name.
    fn alias(&mut self, name: &Name, cname: &Record, records: &[&Record]) {
        if let Some(other) = records.iter().find(|r| r.rtype != Rtype::CNAME) {
            let (rtype, path, line) = (other.rtype, other.source.path(), other.source.line_of(other.span.start));
            let message = format!("CNAME and other data: {name} also has a {rtype} record, at {path}:{line}");
            let hint = "a name with a CNAME record has no other records (RFC 2181 §10.1)";
            self.problems.error(cname.error(message).with_hint(hint));
        }
        self.only_one(name, Rtype::CNAME, records, "a name can be an alias of only one name (RFC 2181 §10.1)");
    }

    /// Reports a second, different record of a type of which a name can have only one.
    fn only_one(&mut self, name: &Name, rtype: Rtype, records: &[&Record], hint: &str) {
        let mut of_type = records.iter().filter(|record| record.rtype == rtype);
        let Some(first) = of_type.next() else { return };
        let target = canonical(rtype, &first.rdata);
        if let Some(second) = of_type.find(|record| canonical(rtype, &record.rdata) != target) {
            let message = format!("a second {rtype} record for {name}");
            self.problems.error(second.error(message).with_hint(hint));
        }
    }

    /// Reports records below a DNAME record, which redirects queries for them. If a delegation hides
    /// the DNAME record, nothing is redirected.
    fn redirected(&mut self, name: &Name, records: &[&Record]) {
        if self.dnames.is_empty() {
            return;
        }
        let redirection = name::suffixes(name.as_wire())
            .skip(1)
            .filter(|above| self.dnames.contains(above))
            .map(Name::from_wire)
            .find(|above| self.cut_above(above).is_none());
        if let (Some(above), Some(record)) = (redirection, records.first()) {
            let message = format!("{} of {name} is below the DNAME record of {above}", record.rtype);
            let hint = "a DNAME record redirects all names below its own; they have no records (RFC 6672 §2.4)";
            self.problems.error(record.error(message).with_hint(hint));
        }
    }

    /// The topmost delegation at or above a name, below the apex.
    fn cut_above(&self, name: &Name) -> Option<Name> {
        if self.cuts.is_empty() {
            return None;
        }
        name::suffixes(name.as_wire())
            .take_while(|suffix| suffix.len() > self.apex.as_wire().len())
            // Above another delegation, the topmost one answers.
            .filter(|above| self.cuts.contains(above))
            .last()
            .map(Name::from_wire)
    }

    /// Warns about name servers whose address resolvers cannot find with this file.
    fn name_servers(&mut self, name: &Name, records: &[&Record]) {
        for record in records {
            let Some(server) = record.name_server().filter(|server| server.is_at_or_below(self.apex)) else { continue };
            let is_own = name == self.apex && self.cut_above(&server).is_none();
            if has(self.owners.get(&server), Rtype::CNAME) {
                self.problems.warn(Kind::AliasedServer, || {
                    let warning = record.warning(format!("name server {server} of {name} is an alias"));
                    warning.with_hint("an NS record must not name an alias (RFC 2181 §10.3)")
                });
            } else if !self.has_address(&server)
                && (is_own || server.is_at_or_below(name))
                && !self.is_by_wildcard(&server)
            {
                self.problems.warn(Kind::ServerWithoutAddress, || {
                    let warning = record.warning(format!("name server {server} of {name} has no address in this file"));
                    warning.with_hint("add an A or AAAA record, without which resolvers cannot find it")
                });
            }
        }
    }

    /// Returns true if the name has addresses, of its own or from a pool.
    fn has_address(&self, name: &Name) -> bool {
        let records = self.owners.get(name);
        has(records, Rtype::A) || has(records, Rtype::AAAA) || self.shared.contains(name)
    }

    /// Returns true if a name without records may get an address from a wildcard above it.
    fn is_by_wildcard(&self, name: &Name) -> bool {
        let wildcard = |above: &[u8]| Name::from_wire(&[b"\x01*", above].concat());
        let mut wildcards =
            name::suffixes(name.as_wire()).skip(1).filter(|above| above.len() + 2 <= name::MAX_WIRE_LEN).map(wildcard);
        self.owners.get(name).is_empty() && wildcards.any(|name| self.has_address(&name))
    }

    /// Warns about records that a delegation hides. At and below it, only NS, DS and the addresses
    /// of name servers are used.
    fn hidden(&mut self, name: &Name, records: &[&Record]) {
        let Some(cut) = self.cut_above(name) else { return };
        for record in records {
            let rtype = record.rtype;
            let is_cut = *name == cut && matches!(rtype, Rtype::NS | Rtype::DS);
            let is_glue = matches!(rtype, Rtype::A | Rtype::AAAA) && self.servers.contains(name);
            if !is_cut && !is_glue {
                self.problems.warn(Kind::Hidden, || {
                    let warning = record.warning(format!("{rtype} of {name} is never answered: {cut} is delegated"));
                    warning.with_hint("at and below a delegation, only NS, DS and addresses of name servers are used")
                });
            }
        }
    }
}

fn has(records: &[&Record], rtype: Rtype) -> bool {
    records.iter().any(|record| record.rtype == rtype)
}
