//! The shared names of all zones, prepared for the fast path when a configuration is loaded.

use hashbrown::HashMap;

use crate::message::{Answer, HEADER_LEN, Header, Query, Question, ResponseOptions, encode};
use crate::name::{MAX_WIRE_LEN, fold};
use crate::zone::{Rtype, SharedName, Zone, Zones};

/// The shared names of all zones, by their wire format in lower case.
#[derive(Debug)]
pub struct SharedNames(HashMap<Box<[u8]>, PreparedName>);

/// A shared name, with its response for a family without addresses.
#[derive(Debug)]
pub struct PreparedName {
    /// The pool, the TTL and the most records per response.
    pub shared: SharedName,
    /// The part of a NODATA response after the question: the SOA record, with compressed names.
    pub nodata: Box<[u8]>,
}

impl SharedNames {
    /// Prepares the shared names of these zones.
    pub fn of(zones: &Zones) -> Self {
        // The fast path writes owner names as pointers. The encoder writes the root in full,
        // because that is shorter, so the root is left to the slow path.
        let shared = zones.shared_names().filter(|(_, name, _)| name.as_wire().len() > 1);
        let prepared = shared.map(|(zone, name, shared)| {
            let nodata = nodata(zone, name.as_wire(), shared.ttl);
            (name.as_wire().into(), PreparedName { shared, nodata })
        });
        Self(prepared.collect())
    }

    /// Finds a name by its wire format, in any letter case.
    pub fn get(&self, name: &[u8]) -> Option<&PreparedName> {
        let mut buffer = [0; MAX_WIRE_LEN];
        self.0.get(fold(name, &mut buffer))
    }
}

/// The part of a NODATA response after the question, as the encoder writes it.
fn nodata(zone: &Zone, name: &[u8], ttl: u32) -> Box<[u8]> {
    let raw = [name, &Rtype::A.0.to_be_bytes(), &[0, 1]].concat();
    let question = Question { name, qtype: Rtype::A, raw: &raw };
    let query = Query { header: Header { id: 0, flags: 0 }, question, edns: None };
    let mut out = Vec::new();
    encode(&query, &Answer::nodata(zone, ttl), usize::from(u16::MAX), &ResponseOptions::default(), &mut out);
    out[HEADER_LEN + raw.len()..].into()
}
