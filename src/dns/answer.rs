//! What is answered: a pure function of the question, the snapshot and the random numbers. It defines the product;
//! whatever goes on the wire, on any transport, is this answer.

use smallvec::SmallVec;

use super::query::{Question, Rcode};
use crate::name::{Folded, Name, suffixes};
use crate::pool::{Drawn, FAMILY_V4, FAMILY_V6, PoolView};
use crate::serving::Serving;
use crate::zone::{Found, Referral, Rrset, Rtype, SharedName, Zone};

/// Aliases that are followed for one question; longer chains are left to the resolver.
const MAX_ALIASES: usize = 16;

/// TTL of the answer to ANY, in seconds: it never changes (RFC 8482 §4.2).
const ANY_TTL: u32 = 3600;

/// `HINFO "RFC8482" ""`: the one small answer to ANY (RFC 8482 §4.2).
const ANY_RDATA: &[u8] = b"\x07RFC8482\x00";

/// Records of one owner and type.
#[derive(Debug)]
pub struct Records<'a> {
    /// Wire form, letters as they should be shown.
    pub owner: &'a [u8],
    /// Type of all of them.
    pub rtype: Rtype,
    /// Seconds.
    pub ttl: u32,
    /// What they say.
    pub data: Data<'a>,
}

/// Where the rdata comes from.
#[derive(Debug)]
pub enum Data<'a> {
    /// An RRset of a zone, which is sent whole or not at all.
    Rrset(&'a [Box<[u8]>]),
    /// One fixed record.
    Fixed(&'static [u8]),
    /// Addresses drawn from a pool, which may be cut short where the message ends.
    V4(Drawn<FAMILY_V4>),
    /// The same for IPv6.
    V6(Drawn<FAMILY_V6>),
}

/// An address of a name server of a referral.
#[derive(Debug)]
pub struct Glue<'a> {
    /// Its records.
    pub records: Records<'a>,
    /// The server lies in the delegated zone, so that nobody finds it without: TC is set when it does not fit (RFC 9471).
    pub required: bool,
}

/// What is answered to a question.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Success, or how it failed.
    pub rcode: Rcode,
    /// The AA bit.
    pub authoritative: bool,
    /// Aliases in the order they were followed, then what was asked for.
    pub answers: SmallVec<[Records<'a>; 2]>,
    /// SOA of a negative answer, or NS of a referral.
    pub authority: Option<Records<'a>>,
    /// Addresses of the name servers of a referral.
    pub additional: SmallVec<[Glue<'a>; 0]>,
    /// The pool that addresses were drawn from.
    pub drawn_from: Option<usize>,
}

impl<'a> Answer<'a> {
    fn new(rcode: Rcode, authoritative: bool) -> Self {
        Self {
            rcode,
            authoritative,
            answers: SmallVec::new(),
            authority: None,
            additional: SmallVec::new(),
            drawn_from: None,
        }
    }

    /// That a name has nothing of the type, for `longest` seconds at most.
    pub(super) fn nothing(zone: &'a Zone, longest: u32) -> Self {
        let mut answer = Self::new(Rcode::NoError, true);
        answer.negative(zone, longest);
        answer
    }

    /// The nodes whose addresses were drawn, in the order of the records.
    pub fn drawn_nodes(&self) -> impl Iterator<Item = u32> {
        let nodes = |records: &Records<'_>| -> SmallVec<[u32; 8]> {
            match &records.data {
                Data::V4(drawn) => drawn.iter().map(|pick| pick.node).collect(),
                Data::V6(drawn) => drawn.iter().map(|pick| pick.node).collect(),
                Data::Rrset(_) | Data::Fixed(_) => SmallVec::new(),
            }
        };
        self.answers.iter().flat_map(nodes)
    }

    fn push(&mut self, owner: &'a [u8], rrset: &'a Rrset) {
        self.answers.push(Records { owner, rtype: rrset.rtype, ttl: rrset.ttl, data: Data::Rrset(&rrset.rdatas) });
    }

    /// Adds the SOA that says how long "nothing" holds (RFC 2308 §3).
    fn negative(&mut self, zone: &'a Zone, longest: u32) {
        self.authority = Some(Records {
            owner: zone.apex().as_wire(),
            rtype: Rtype::SOA,
            ttl: zone.negative_ttl().min(longest),
            data: Data::Rrset(&zone.soa().rdatas),
        });
    }
}

/// Answers a question from the snapshot.
///
/// The target of an alias is looked up like the name that was asked, in whichever zone it lies (RFC 1034 §4.3.2: "go
/// back to step 1"); AA speaks of the first owner name only (RFC 1035 §4.1.1).
pub fn answer<'a>(question: &Question<'a>, serving: &'a Serving, rng: &mut fastrand::Rng) -> Answer<'a> {
    let qtype = question.qtype;
    let zones = &serving.fixed.zones;
    let asked = Folded::new(question.name);
    let Some(mut zone) = zones.find(&asked, qtype) else {
        return Answer::new(Rcode::Refused, false);
    };
    let mut answer = Answer::new(Rcode::NoError, true);
    let mut owner = question.name;
    let mut target_folded;
    let mut folded = &asked;
    loop {
        match zone.lookup(folded, qtype) {
            Found::Rrset(rrset) => answer.push(owner, rrset),
            Found::Shared(shared) => draw(&mut answer, owner, shared, qtype, zone, serving, rng),
            Found::Any => {
                answer.answers.push(Records { owner, rtype: Rtype::HINFO, ttl: ANY_TTL, data: Data::Fixed(ANY_RDATA) });
            }
            Found::NoData => answer.negative(zone, u32::MAX),
            Found::NxDomain => {
                // RFC 6604 §3: the code of the last name in a chain of aliases.
                answer.rcode = Rcode::NxDomain;
                answer.negative(zone, u32::MAX);
            }
            Found::Referral(referral) => refer(&mut answer, owner, &referral, zone),
            Found::Cname(cname) => {
                answer.push(owner, cname);
                let target = &*cname.rdatas[0];
                let repeats = answer.answers.iter().any(|records| records.owner.eq_ignore_ascii_case(target));
                if qtype != Rtype::ANY && !repeats && answer.answers.len() <= MAX_ALIASES {
                    target_folded = Folded::new(target);
                    if let Some(next) = zones.find(&target_folded, qtype) {
                        (zone, owner, folded) = (next, target, &target_folded);
                        continue;
                    }
                }
            }
        }
        return answer;
    }
}

/// Answers a shared name from its pool.
fn draw<'a>(
    answer: &mut Answer<'a>,
    owner: &'a [u8],
    shared: SharedName,
    qtype: Rtype,
    zone: &'a Zone,
    serving: &Serving,
    rng: &mut fastrand::Rng,
) {
    let PoolView::Addresses { v4, v6 } = &*serving.pools[shared.pool] else {
        *answer = Answer::new(Rcode::ServFail, false);
        return;
    };
    let (empty, data) = if qtype == Rtype::A {
        let drawn = v4.draw(shared.answers, rng);
        (drawn.is_empty(), Data::V4(drawn))
    } else {
        let drawn = v6.draw(shared.answers, rng);
        (drawn.is_empty(), Data::V6(drawn))
    };
    if empty {
        // The next flip may fill the family: "nothing" must not be kept longer than addresses are.
        answer.negative(zone, shared.ttl);
    } else {
        answer.answers.push(Records { owner, rtype: qtype, ttl: shared.ttl, data });
        answer.drawn_from = Some(shared.pool);
    }
}

/// Points at the servers of a delegated zone (RFC 1034 §4.3.2 step 3b): not authoritative, unless aliases led here.
fn refer<'a>(answer: &mut Answer<'a>, owner: &'a [u8], referral: &Referral<'a>, zone: &'a Zone) {
    answer.authoritative = !answer.answers.is_empty();
    let labels = suffixes(owner).count() - 1;
    let cut = suffixes(owner).nth(labels - referral.labels).unwrap_or(owner);
    let ns = referral.ns;
    answer.authority = Some(Records { owner: cut, rtype: Rtype::NS, ttl: ns.ttl, data: Data::Rrset(&ns.rdatas) });
    let cut = Name::from_wire(cut);
    for server in &ns.rdatas {
        let name = Name::from_wire(server);
        let required = name.is_at_or_below(&cut);
        for rrset in zone.glue(&name) {
            let data = Data::Rrset(&rrset.rdatas);
            let records = Records { owner: server, rtype: rrset.rtype, ttl: rrset.ttl, data };
            answer.additional.push(Glue { records, required });
        }
    }
    // What must not be lost is sent first.
    answer.additional.sort_by_key(|glue| !glue.required);
}
