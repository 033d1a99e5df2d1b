//! The shared names of all zones, prepared for the fast path.

use hashbrown::HashMap;

use crate::message::{Answer, HEADER_LEN, Header, Query, Question, encode};
use crate::name::{MAX_WIRE_LEN, fold};
use crate::zone::{Rtype, SharedName, Zone, Zones};

/// The shared names of all zones, by their folded wire form.
#[derive(Debug)]
pub struct SharedNames(HashMap<Box<[u8]>, PreparedName>);

/// A shared name, and the response if its pool has no address of a family.
#[derive(Debug)]
pub struct PreparedName {
    /// Its pool, TTL and number of answers.
    pub shared: SharedName,
    /// The SOA record behind the question, its names compressed.
    pub nodata: Box<[u8]>,
}

impl SharedNames {
    /// Prepares the shared names of these zones.
    pub fn of(zones: &Zones) -> Self {
        // The root's name is as short as a pointer, so the encoder writes it instead of one.
        let shared = zones.shared_names().filter(|(_, name, _)| name.as_wire().len() > 1);
        let prepared = shared.map(|(zone, name, shared)| {
            let nodata = nodata(zone, name.as_wire(), shared.ttl);
            (name.as_wire().into(), PreparedName { shared, nodata })
        });
        Self(prepared.collect())
    }

    /// Finds a name in wire form, in any letter case.
    pub fn get(&self, name: &[u8]) -> Option<&PreparedName> {
        let mut room = [0; MAX_WIRE_LEN];
        self.0.get(fold(name, &mut room))
    }
}

/// The authority section of a response without addresses: what `encode` writes behind the question.
fn nodata(zone: &Zone, name: &[u8], ttl: u32) -> Box<[u8]> {
    let raw = [name, &Rtype::A.0.to_be_bytes(), &[0, 1]].concat();
    let question = Question { name, qtype: Rtype::A, raw: &raw };
    let query = Query { header: Header { id: 0, flags: 0 }, question, edns: None };
    let mut out = Vec::new();
    encode(&query, &Answer::nodata(zone, ttl), usize::from(u16::MAX), None, &mut out);
    out[HEADER_LEN + raw.len()..].into()
}
