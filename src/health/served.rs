//! What the publisher knows of a pool besides the table: the verdicts that are served, and since when nodes that left the
//! answers are idle, across reloads and restarts.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::table::Standing;
use super::{Health, report::Turn};
use crate::overrides::{self, Overrides, full_name};
use crate::pool::{Basis, Decision, Pool, PoolView, Role, Said, Verdict, active_up, decide};

/// Seconds beyond its TTL for which an answer may still be on its way or in use: one, and one more because moments are
/// whole seconds, of which the present one may be over already.
const EXPIRY_MARGIN: u64 = 2;

/// A pool and what the task knows of it besides the table.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) pool: Pool,
    /// Node and address of each slot.
    pub(super) slots: Vec<(usize, IpAddr)>,
    /// When it was first served under this configuration.
    pub(super) since: Instant,
    /// What operators say of each node.
    pub(super) said: Vec<Said>,
    /// For each node, when its role changed, if it did.
    role_since: Vec<Option<Instant>>,
    /// For each node, whether what was seen of it is from before its role changed.
    is_stale: Vec<bool>,
    /// Whether operators have been heard, now or before a reload; what they said before a start is no change.
    is_heard: bool,
    /// The rule by which it is answered.
    pub(super) basis: Basis,
    /// Why each address is answered or not.
    pub(super) verdicts: Vec<Verdict>,
    /// For each node that is not eligible any more, when the last answer that held it has expired.
    pub(super) idle_from: Vec<Option<u64>>,
    /// When the last answer under configurations before this one has expired: their TTLs may have been longer.
    pub(super) outlived: u64,
}

/// What was known of a pool before a reload, to report only what has changed.
pub(super) struct Before {
    pub(super) basis: Basis,
    /// By name of the node and address.
    pub(super) addresses: HashMap<(Arc<str>, IpAddr), KnownAddress>,
    /// By name of the node.
    idle_from: HashMap<Arc<str>, Option<u64>>,
    said: HashMap<Arc<str>, KnownSaid>,
    /// When the last answer under it has expired.
    pub(super) expiry: u64,
    eligible: HashSet<Arc<str>>,
}

/// What was said of a node before a reload.
struct KnownSaid {
    said: Said,
    /// When its role changed, if it did.
    since: Option<Instant>,
    is_stale: bool,
}

/// What was known of an address before a reload.
pub(super) struct KnownAddress {
    pub(super) health: Health,
    fell: u64,
    verdict: Verdict,
}

impl Before {
    /// The role that a node had.
    pub(super) fn role(&self, node: &str) -> Option<Role> {
        self.said.get(node).map(|known| known.said.role)
    }

    fn address(&self, pool: &Pool, (node, address): (usize, IpAddr)) -> Option<&KnownAddress> {
        self.addresses.get(&(Arc::clone(&pool.nodes[node].name), address))
    }

    /// The place of an address in the order in which addresses went down.
    pub(super) fn fell(&self, pool: &Pool, at: (usize, IpAddr)) -> u64 {
        self.address(pool, at).map_or(0, |known| known.fell)
    }
}

impl Served {
    /// A pool that is about to be served; `before` is what was known of it under the configuration before.
    /// `has_served` tells of which nodes that is known from before a restart.
    pub(super) fn new(pool: Pool, before: Option<&Before>, has_served: impl Fn(&str) -> bool) -> Self {
        let known = |at| before.and_then(|before| before.address(&pool, at));
        let verdict = |at| known(at).map_or(Verdict::Unprobed, |known| known.verdict);
        let mut served = Self {
            slots: pool.slots().collect(),
            since: Instant::now(),
            said: pool.as_configured(),
            role_since: vec![None; pool.nodes.len()],
            is_stale: vec![false; pool.nodes.len()],
            is_heard: before.is_some(),
            basis: before.map_or(Basis::Active, |before| before.basis),
            verdicts: pool.slots().map(verdict).collect(),
            idle_from: vec![None; pool.nodes.len()],
            outlived: before.map_or(0, |before| before.expiry),
            pool,
        };
        for (node, configured) in served.pool.nodes.iter().enumerate() {
            if let Some(known) = before.and_then(|before| before.said.get(&configured.name)) {
                (served.said[node], served.role_since[node]) = (known.said, known.since);
                served.is_stale[node] = known.is_stale;
            } else {
                served.said[node].has_served |= has_served(&configured.name);
            }
        }
        served
    }

    /// Takes what operators say. Whoever is active by configuration counts as having served; a nominated node has from when it
    /// is up.
    fn hear(&mut self, overrides: &Overrides, standings: &[Standing]) {
        let mut said = overrides.said(&self.pool);
        for (node, (said, before)) in said.iter_mut().zip(&self.said).enumerate() {
            let is_configured = self.pool.nodes[node].role == Role::Active;
            said.has_served = said.role == Role::Active && (before.has_served || is_configured);
            if self.is_heard && said.role != before.role {
                // A spare that was promoted before its role changed is what it was seen to be.
                let is_spare = !is_configured && !self.pool.standby_monitors.is_empty();
                self.is_stale[node] = is_spare && !self.is_promoted(node, standings);
                self.role_since[node] = Some(Instant::now());
            }
        }
        self.is_heard = true;
        let mut is_up = vec![false; said.len()];
        for (&(node, _), standing) in self.slots.iter().zip(standings) {
            is_up[node] |= standing.health == Health::Up;
        }
        for (node, is_up) in is_up.into_iter().enumerate() {
            let has_settled = self.role_has_settled(node);
            self.is_stale[node] &= is_up && !has_settled;
            // What was seen before the role changed says nothing of it.
            let is_fresh = has_settled || self.pool.standby_monitors.is_empty();
            said[node].has_served |= said[node].role == Role::Active && is_up && is_fresh;
        }
        self.said = said;
    }

    /// Whether a role is so new that something changes by time alone.
    pub(super) fn is_settling(&self) -> bool {
        (0..self.said.len()).any(|node| !self.role_has_settled(node))
    }

    /// What is believed of the addresses: nothing of what was seen of a spare before its role changed.
    pub(super) fn believed(&self, mut standings: Vec<Standing>) -> Vec<Standing> {
        for (&(node, _), standing) in self.slots.iter().zip(&mut standings) {
            if self.is_stale[node] {
                standing.health = Health::Unknown;
            }
        }
        standings
    }

    /// Whether a node has had its role for so long that its monitors have seen what became of it.
    pub(super) fn role_has_settled(&self, node: usize) -> bool {
        self.role_since[node].is_none_or(|since| {
            let monitors = self.pool.monitors.iter().chain(&self.pool.standby_monitors);
            let settling = monitors.map(|monitor| monitor.interval * (monitor.rise + monitor.fall)).max();
            since.elapsed() >= settling.unwrap_or_default()
        })
    }

    /// Whether a backup has been promoted by somebody else: it serves, and is no spare any more.
    pub(super) fn is_promoted(&self, node: usize, standings: &[Standing]) -> bool {
        let addresses = self.slots.iter().zip(standings).filter(|((of, _), _)| *of == node);
        let standings: Vec<_> = addresses.map(|(_, standing)| standing).collect();
        !self.pool.standby_monitors.is_empty()
            && self.said[node].role == Role::Backup
            && self.role_has_settled(node)
            && standings.iter().any(|standing| standing.health == Health::Up)
            && standings.iter().all(|standing| standing.standby != Health::Up)
    }

    /// Decides anew who may be answered; gives what queries get, and what is to be reported of it.
    pub(super) fn decide(
        &mut self,
        standings: &[Standing],
        overrides: &Overrides,
        rng: &mut fastrand::Rng,
    ) -> (PoolView, Vec<Turn>) {
        self.hear(overrides, standings);
        let standings = self.believed(standings.to_vec());
        let Decision { basis, view, verdicts } = decide(&self.pool, &standings, &self.said, rng);
        let mut turns = Vec::new();
        for (slot, verdict) in verdicts.iter().enumerate() {
            match (self.verdicts[slot], verdict) {
                (Verdict::Kept, Verdict::Kept) => {}
                (_, Verdict::Kept) => turns.push(Turn::Kept(slot)),
                (Verdict::Kept, Verdict::Down) => turns.push(Turn::Ejected(slot)),
                _ => {}
            }
        }
        if std::mem::replace(&mut self.basis, basis) != basis {
            turns.push(Turn::Basis);
        }
        self.judge(verdicts);
        (view, turns)
    }

    /// Whether the node of an address is a backup.
    pub(super) fn is_backup(&self, slot: usize) -> bool {
        self.said[self.slots[slot].0].role == Role::Backup
    }

    /// Nodes that may be answered.
    pub(super) fn answered(&self) -> usize {
        self.eligible().into_iter().filter(|eligible| *eligible).count()
    }

    /// Active nodes that are up.
    pub(super) fn available(&self) -> usize {
        active_up(&self.said, &self.slots, &self.verdicts)
    }

    /// For each node, whether one of its addresses may be answered.
    fn eligible(&self) -> Vec<bool> {
        let mut eligible = vec![false; self.pool.nodes.len()];
        for (&(node, _), verdict) in self.slots.iter().zip(&self.verdicts) {
            eligible[node] |= verdict.is_eligible();
        }
        eligible
    }

    /// Takes new verdicts, and notes when a node leaves the answers.
    fn judge(&mut self, verdicts: Vec<Verdict>) {
        let before = self.eligible();
        self.verdicts = verdicts;
        let now = self.eligible();
        for (node, (was, is)) in before.into_iter().zip(now).enumerate() {
            if is {
                self.idle_from[node] = None;
            } else if was {
                self.idle_from[node] = Some(self.expiry());
            }
        }
    }

    /// When an answer that is given now has expired.
    fn expiry(&self) -> u64 {
        self.expiry_of_answers_at(overrides::now())
    }

    fn expiry_of_answers_at(&self, moment: u64) -> u64 {
        let expiry = moment.saturating_add(u64::from(self.pool.longest_ttl)).saturating_add(EXPIRY_MARGIN);
        expiry.max(self.outlived)
    }

    /// Remembers across a reload, and across a restart as far as operators were the reason, since when nodes are not
    /// answered.
    pub(super) fn take_over(&mut self, before: Option<&Before>, overrides: &Overrides) {
        for (node, _) in self.eligible().into_iter().enumerate().filter(|(_, eligible)| !eligible) {
            let name = &self.pool.nodes[node].name;
            self.idle_from[node] = match before.and_then(|before| Some((before, before.idle_from.get(name)?))) {
                Some((before, _)) if before.eligible.contains(name) => Some(self.expiry()),
                Some((_, earlier)) => *earlier,
                None => {
                    let name = full_name(&self.pool.name, name);
                    let said =
                        [overrides.get(&name).map(|said| said.at), overrides.nomination(&name).map(|said| said.at)];
                    said.into_iter().flatten().max().map(|at| self.expiry_of_answers_at(at))
                }
            };
        }
    }

    pub(super) fn remembered(self, standings: &[Standing]) -> (Arc<str>, Before) {
        let named = |((&(node, address), standing), &verdict): ((&(usize, IpAddr), &Standing), &Verdict)| {
            let fell = standing.answers_badly.unwrap_or(0);
            let known = KnownAddress { health: standing.health, fell, verdict };
            ((Arc::clone(&self.pool.nodes[node].name), address), known)
        };
        let addresses = self.slots.iter().zip(standings).zip(&self.verdicts).map(named).collect();
        let names = || self.pool.nodes.iter().map(|node| Arc::clone(&node.name));
        let known = |node: usize| KnownSaid {
            said: self.said[node],
            since: self.role_since[node],
            is_stale: self.is_stale[node],
        };
        let said = names().enumerate().map(|(node, name)| (name, known(node))).collect();
        let idle_from = names().zip(self.idle_from.iter().copied()).collect();
        let eligible = names().zip(self.eligible()).filter_map(|(name, is)| is.then_some(name)).collect();
        let expiry = self.expiry();
        (Arc::clone(&self.pool.name), Before { basis: self.basis, addresses, idle_from, said, expiry, eligible })
    }
}
