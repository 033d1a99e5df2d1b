//! The state of one pool: its nodes, their addresses, and the latest decision.
//!
//! [`super::PoolStates`] calls it, and the events read it. All calls succeed.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::address_state::AddressState;
use super::previous::PreviousPool;
use super::remembered::RememberedHealth;
use super::targets::{AddressIndex, AddressTargets};
use crate::health::Health;
use crate::overrides::Overrides;
use crate::pool::{
    AddressDecision, AdminState, Decision, Node, NodeDecision, Pool, PoolView, Role, SelectionTier, Verdict, decide,
};
use crate::time::Now;

/// Seconds beyond its TTL for which an answer may be in use: one for its way through the network,
/// and one because moments are whole seconds, and the present second may be nearly over.
const EXPIRY_MARGIN: u64 = 2;

/// The state of one pool.
#[derive(Clone, Debug)]
pub struct PoolState {
    pub(super) pool: Arc<Pool>,
    pub(super) nodes: Vec<NodeState>,
    /// When this configuration of the pool was loaded.
    pub(super) loaded_at: Instant,
    /// A decision has applied roles, now or before a reload. Until then, a nomination from a state
    /// file is not a change of role.
    pub(super) has_roles: bool,
    /// The tier of the latest decision.
    pub(super) tier: SelectionTier,
    /// Unix time at which the last answer under earlier configurations has expired, in seconds.
    /// Their TTLs may have been longer.
    pub(super) earlier_expiry: u64,
}

/// The state of one node.
#[derive(Clone, Debug)]
pub struct NodeState {
    /// In the order of the configuration.
    pub(super) addresses: SmallVec<[AddressState; 1]>,
    /// Its forced state and role: set by operators, or else as configured.
    pub(super) admin: AdminState,
    /// The latest change of its role.
    pub(super) role_since: Option<Instant>,
    /// Its observations are from before its role changed, so its health counts as unknown.
    pub(super) is_stale: bool,
    /// If it is not eligible: Unix time at which the last answer that held it expires, in seconds.
    pub(super) idle_from: Option<u64>,
}

/// A change by a decision that users should learn of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StateChange {
    /// The pool has another selection tier.
    Tier,
    /// An address with bad responses is kept in the answers, because `max_ejected` nodes are
    /// ejected.
    EjectionCapped(AddressIndex),
    /// An address with a capped ejection is ejected after all.
    Ejected(AddressIndex),
}

impl NodeState {
    /// Its forced state and role.
    pub fn admin(&self) -> AdminState {
        self.admin
    }

    /// Its addresses, in the order of the configuration.
    pub fn addresses(&self) -> &[AddressState] {
        &self.addresses
    }

    /// Returns true if one of its addresses is eligible.
    pub fn is_eligible(&self) -> bool {
        self.addresses.iter().any(|address| address.verdict.is_eligible())
    }

    /// Returns true if it is active and one of its addresses is up.
    pub(super) fn is_available(&self) -> bool {
        self.admin.role == Role::Active && self.addresses.iter().any(|address| address.verdict.is_up())
    }

    /// The health of one of its addresses, as far as it is about the present role: unknown if its
    /// observations are stale.
    pub(super) fn believed_health(&self, address: &AddressState) -> Health {
        if self.is_stale { Health::Unknown } else { address.health().health }
    }

    /// The input of the decision.
    fn undecided<'p>(&self, node: &'p Node) -> NodeDecision<'p> {
        let address = |address: &AddressState| {
            let mut health = address.health();
            health.health = self.believed_health(address);
            AddressDecision { address: address.address(), health, verdict: Verdict::Unknown }
        };
        NodeDecision { config: node, admin: self.admin, addresses: self.addresses.iter().map(address).collect() }
    }
}

impl PoolState {
    /// A pool of a new configuration, with the targets of its addresses: per node, per address.
    ///
    /// `previous` is the pool under the configuration before, `remembered` is from before the start
    /// of the process.
    pub(super) fn new(
        pool: Arc<Pool>,
        targets: Vec<Vec<AddressTargets>>,
        previous: Option<&PreviousPool>,
        remembered: &RememberedHealth,
        now: Now,
    ) -> Self {
        let node = |(node, targets): (&Node, Vec<AddressTargets>)| {
            let id = pool.id_of(&node.name);
            let known = previous.and_then(|previous| previous.node(&node.name));
            let address = |(&address, targets)| {
                let known = known.and_then(|known| known.address(address));
                let (down_since_seq, verdict) =
                    known.map_or((0, Verdict::Unknown), |known| (known.down_since_seq, known.verdict));
                AddressState::new(address, targets, remembered.health(&id, address), down_since_seq, verdict)
            };
            let mut admin = node.configured_state();
            admin.has_served |= remembered.has_served(&id);
            NodeState {
                addresses: node.addresses.iter().zip(targets).map(address).collect(),
                admin: known.map_or(admin, |known| known.admin),
                role_since: known.and_then(|known| known.role_since),
                is_stale: known.is_some_and(|known| known.is_stale),
                idle_from: None,
            }
        };
        Self {
            nodes: pool.nodes.iter().zip(targets).map(node).collect(),
            loaded_at: now.instant,
            has_roles: previous.is_some(),
            tier: previous.map_or(SelectionTier::Active, |previous| previous.tier),
            earlier_expiry: previous.map_or(0, |previous| previous.expiry),
            pool,
        }
    }

    /// Its configuration.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Its nodes with their configuration.
    pub fn nodes(&self) -> impl Iterator<Item = (&Node, &NodeState)> {
        self.pool.nodes.iter().zip(&self.nodes)
    }

    /// Its addresses with their place.
    pub fn addresses(&self) -> impl Iterator<Item = (AddressIndex, &AddressState)> {
        self.nodes.iter().enumerate().flat_map(|(node, state)| {
            state.addresses.iter().enumerate().map(move |(address, found)| (AddressIndex { node, address }, found))
        })
    }

    /// Its addresses.
    pub(super) fn addresses_mut(&mut self) -> impl Iterator<Item = &mut AddressState> {
        self.nodes.iter_mut().flat_map(|node| &mut node.addresses)
    }

    /// One of its addresses.
    pub fn address(&self, at: AddressIndex) -> &AddressState {
        &self.nodes[at.node].addresses[at.address]
    }

    /// One of its addresses.
    pub(super) fn address_mut(&mut self, at: AddressIndex) -> &mut AddressState {
        &mut self.nodes[at.node].addresses[at.address]
    }

    /// Configuration and state of the node of an address.
    pub fn node(&self, at: AddressIndex) -> (&Node, &NodeState) {
        (&self.pool.nodes[at.node], &self.nodes[at.node])
    }

    /// The tier of the latest decision.
    pub fn tier(&self) -> SelectionTier {
        self.tier
    }

    /// Number of its active nodes.
    pub fn active_count(&self) -> usize {
        self.nodes.iter().filter(|node| node.admin.role == Role::Active).count()
    }

    /// Number of its active nodes that are up.
    pub fn available_count(&self) -> usize {
        self.nodes.iter().filter(|node| node.is_available()).count()
    }

    /// Number of its nodes with an eligible address.
    pub fn eligible_count(&self) -> usize {
        self.nodes.iter().filter(|node| node.is_eligible()).count()
    }

    /// Active nodes that should be up.
    pub fn min_available(&self) -> usize {
        self.pool.min_available.of(self.active_count())
    }

    /// The most active nodes that bad responses may eject together.
    pub fn max_ejected(&self) -> usize {
        self.pool.max_ejected.of(self.active_count())
    }

    /// Applies overrides and nominations, and decides again which addresses are eligible.
    ///
    /// Returns the view for queries, and the changes that users should learn of.
    pub(super) fn decide(
        &mut self,
        overrides: &Overrides,
        now: Now,
        rng: &mut fastrand::Rng,
    ) -> (PoolView, Vec<StateChange>) {
        self.apply_overrides(overrides, now);
        let pool = Arc::clone(&self.pool);
        let mut nodes: Vec<_> = pool.nodes.iter().zip(&self.nodes).map(|(node, state)| state.undecided(node)).collect();
        let Decision { tier, view } = decide(&pool, &mut nodes, rng);
        let mut changes = self.store_verdicts(&nodes, now);
        if std::mem::replace(&mut self.tier, tier) != tier {
            changes.push(StateChange::Tier);
        }
        (view, changes)
    }

    /// Stores new verdicts, and notes when a node leaves the answers.
    fn store_verdicts(&mut self, decided: &[NodeDecision<'_>], now: Now) -> Vec<StateChange> {
        let mut changes = Vec::new();
        let expiry = self.expiry_of_answers_at(now.unix);
        for (node, (state, decided)) in self.nodes.iter_mut().zip(decided).enumerate() {
            let was_eligible = state.is_eligible();
            for (address, (found, decided)) in state.addresses.iter_mut().zip(&decided.addresses).enumerate() {
                let at = AddressIndex { node, address };
                match (std::mem::replace(&mut found.verdict, decided.verdict), decided.verdict) {
                    (Verdict::EjectionCapped, Verdict::EjectionCapped) => {}
                    (_, Verdict::EjectionCapped) => changes.push(StateChange::EjectionCapped(at)),
                    (Verdict::EjectionCapped, Verdict::Down) => changes.push(StateChange::Ejected(at)),
                    _ => {}
                }
            }
            if state.is_eligible() {
                state.idle_from = None;
            } else if was_eligible {
                state.idle_from = Some(expiry);
            }
        }
        changes
    }

    /// Unix time at which the answers that are given up to a moment have expired. Both are in
    /// seconds.
    pub(super) fn expiry_of_answers_at(&self, moment: u64) -> u64 {
        let expiry = moment.saturating_add(u64::from(self.pool.longest_ttl)).saturating_add(EXPIRY_MARGIN);
        expiry.max(self.earlier_expiry)
    }
}
