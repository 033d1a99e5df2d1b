//! The fast path: responses with the addresses of shared names, without an [`Answer`] in between.
//!
//! [`answer()`](super::answer::answer) and [`encode`](crate::message::encode) define the response.
//! For the questions of nearly all clients, the fast path writes the same bytes from the same draw.
//! It saves time in three places:
//!
//! - it finds a shared name by its whole wire format, with one hash lookup
//! - all owner names are pointers to the question
//! - NODATA responses are prepared when the zones are loaded
//!
//! It leaves all other queries to the slow path: aliases, wildcards, other types, pools that answer
//! SERVFAIL, and responses that do not fit.
//!
//! [`Answer`]: crate::message::Answer

use super::transport::Bounds;
use super::worker_state::WorkerState;
use crate::message::{HEADER_LEN, Query, Question, Rcode, ResponseFields, finish, start};
use crate::pool::{Candidates, PoolView};
use crate::snapshot::{PreparedName, Snapshot};
use crate::zone::{Rtype, SharedName};

/// Bytes of a record before its address: a pointer to the question as owner name, type, class, TTL,
/// length.
const BEFORE_ADDRESS: usize = 12;

/// Writes the response to a query into `out`, within its bounds. Returns false, without a draw,
/// if the slow path must answer.
#[must_use]
pub(super) fn respond(
    worker: &mut WorkerState,
    query: &Query<'_>,
    bounds: &Bounds<'_>,
    snapshot: &Snapshot,
    out: &mut Vec<u8>,
) -> bool {
    let Question { name, qtype, raw } = &query.question;
    if !matches!(*qtype, Rtype::A | Rtype::AAAA) {
        return false;
    }
    let Some(PreparedName { shared, nodata }) = snapshot.config.shared_names.get(name) else { return false };
    let PoolView::Addresses { v4, v6 } = &*snapshot.pools[shared.pool] else { return false };
    let Bounds { limit, options } = bounds;
    let opt_len = query.edns.as_ref().map_or(0, |edns| edns.response_len(options));
    let space = limit.saturating_sub(HEADER_LEN + raw.len() + opt_len);
    let is_empty = if *qtype == Rtype::A { v4.is_empty() } else { v6.is_empty() };
    let counts = if is_empty {
        if nodata.len() > space {
            return false;
        }
        start(raw, out);
        out.extend_from_slice(nodata);
        [0, 1, 0]
    } else {
        let response = AddressResponse { question: &query.question, shared: *shared, space, snapshot };
        let written = match *qtype {
            Rtype::A => response.write(worker, v4, out),
            _ => response.write(worker, v6, out),
        };
        match written {
            Some(count) => [count, 0, 0],
            None => return false,
        }
    };
    let fields = ResponseFields { rcode: Rcode::NoError, authoritative: true, truncated: false, counts };
    finish(query.header, fields, query.edns.as_ref(), options, out);
    worker.counters.count_response(Rcode::NoError, false);
    true
}

/// A response to a question for a shared name that has addresses.
struct AddressResponse<'q> {
    question: &'q Question<'q>,
    shared: SharedName,
    /// Bytes for address records.
    space: usize,
    snapshot: &'q Snapshot,
}

impl AddressResponse<'_> {
    /// Writes header, question and as many drawn addresses as fit. Returns their number, or `None`,
    /// without a draw, if none fits.
    fn write<const N: usize>(
        &self,
        worker: &mut WorkerState,
        candidates: &Candidates<N>,
        out: &mut Vec<u8>,
    ) -> Option<u16> {
        let most = self.space / (BEFORE_ADDRESS + N);
        if most == 0 {
            return None;
        }
        start(self.question.raw, out);
        let [type_high, type_low] = self.question.qtype.0.to_be_bytes();
        let [a, b, c, d] = self.shared.ttl.to_be_bytes();
        let before = [0xc0, HEADER_LEN as u8, type_high, type_low, 0, 1, a, b, c, d, 0, N as u8];
        let drawn = candidates.draw(self.shared.answers, &mut worker.rng);
        let written = drawn.len().min(most);
        let at = out.len();
        out.resize(at + written * (BEFORE_ADDRESS + N), 0);
        for (record, pick) in out[at..].chunks_exact_mut(BEFORE_ADDRESS + N).zip(&drawn) {
            record[..BEFORE_ADDRESS].copy_from_slice(&before);
            record[BEFORE_ADDRESS..].copy_from_slice(&pick.address);
        }
        let nodes = drawn[..written].iter().map(|pick| pick.node);
        worker.count_records(self.snapshot, self.shared.pool, nodes);
        Some(written as u16)
    }
}
