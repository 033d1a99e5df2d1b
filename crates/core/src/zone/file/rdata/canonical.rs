//! The canonical form of rdata (RFC 4034 §6.2): names in lower case, for some types.
//!
//! Records that are equal in this form are one record.

use super::field::are_fields;
use super::format::fields_of;
use crate::zone::Rtype;

/// The types whose names compare without regard to letter case (RFC 4034 §6.2, RFC 6840 §5.1): NS,
/// MD, MF, CNAME, SOA, MB, MG, MR, PTR, MINFO, MX, RP, AFSDB, RT, SIG, PX, NXT, SRV, NAPTR, KX,
/// DNAME, RRSIG. Names in newer types are bytes like any other (RFC 3597 §7).
const FOLDED: [u16; 22] = [2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 17, 18, 21, 24, 26, 30, 33, 35, 36, 39, 46];

/// The canonical form of valid rdata of a type.
pub(in super::super) fn canonical(rtype: Rtype, rdata: &[u8]) -> Vec<u8> {
    let mut out = rdata.to_vec();
    let Some(fields) = fields_of(rtype).filter(|fields| FOLDED.contains(&rtype.0) && are_fields(fields, rdata)) else {
        return out;
    };
    let mut at = 0;
    for field in fields {
        let len = (field.len)(&rdata[at..]).unwrap_or_default();
        if field.is_name {
            out[at..at + len].make_ascii_lowercase();
        }
        at += len;
    }
    out
}
