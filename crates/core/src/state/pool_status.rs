//! The description of a pool for users: its [`PoolStatus`].

use super::address_state::AddressState;
use super::pool_state::{NodeState, PoolState};
use super::targets::Targets;
use crate::health::{Health, ProbeFailure};
use crate::overrides::{Override, Overrides};
use crate::plural::counted;
use crate::pool::{Role, Verdict};
use crate::status::{AddressStatus, NodeStatus, PoolStatus};
use crate::time::Now;

/// Numbers of a pool that explain verdicts.
#[derive(Clone, Copy)]
struct Figures {
    /// Active nodes that are up.
    available: usize,
    /// Active nodes that should be up.
    min_available: usize,
    /// Active nodes that bad responses may eject together.
    max_ejected: usize,
}

impl PoolState {
    /// Describes the pool.
    pub(super) fn status(&self, targets: &Targets, overrides: &Overrides, now: Now) -> PoolStatus {
        let figures = Figures {
            available: self.available_count(),
            min_available: self.min_available(),
            max_ejected: self.max_ejected(),
        };
        let nodes = self.nodes().map(|(node, state)| {
            let id = self.pool.id_of(&node.name);
            let forced = overrides.get(&id);
            let addresses: Vec<AddressStatus> = state
                .addresses
                .iter()
                .map(|address| self.address_status(state, address, Context { targets, forced, figures }))
                .collect();
            let representative = representative(&addresses);
            NodeStatus {
                name: node.name.to_string(),
                role: state.admin.role,
                weight: node.weight,
                up: state.addresses.iter().any(|address| address.verdict.is_up()),
                promoted: state.is_promoted(&self.pool, now),
                eligible: representative.is_some_and(|address| address.eligible),
                why: representative.map(|address| address.why.clone()).unwrap_or_default(),
                records: None,
                r#override: forced.map(Into::into),
                nomination: overrides.nomination(&id).cloned(),
                idle_from: state.idle_from,
                addresses,
            }
        });
        PoolStatus {
            name: self.pool.name.to_string(),
            min_available: figures.min_available,
            available: figures.available,
            nodes: nodes.collect(),
            fallback_records: None,
        }
    }

    /// Describes an address.
    fn address_status(&self, node: &NodeState, address: &AddressState, context: Context<'_>) -> AddressStatus {
        let health = address.health();
        let is_backup = node.admin.role == Role::Backup;
        AddressStatus {
            address: address.address(),
            health: node.believed_health(address),
            standby: is_backup.then_some(health.standby),
            weight_percent: health.weight_percent,
            eligible: address.verdict.is_eligible(),
            why: self.why(node, address, context),
        }
    }

    /// Why an address is eligible or not: the verdict, with everything else that explains it.
    fn why(&self, node: &NodeState, address: &AddressState, context: Context<'_>) -> String {
        let Context { targets, forced, figures } = context;
        let (verdict, health) = (address.verdict, node.believed_health(address));
        let is_backup = node.admin.role == Role::Backup;
        let failure = because(targets.failure(&address.targets().serving));
        let is_standby = is_backup && self.pool.has_standby_monitors && forced.is_none();
        let mut why = match verdict {
            Verdict::Down | Verdict::Unknown if is_standby && address.health().standby == Health::Up => {
                format!("standby health up, not serving{failure}")
            }
            _ => describe_verdict(verdict, &failure, forced, figures) + &partial_weight(health, address),
        };
        if is_standby && address.health().standby == Health::Down {
            let failure = because(targets.failure(&address.targets().standby));
            why = format!("{why}; standby health down{failure}");
        }
        if forced.is_some() {
            why = format!("{why}; its health is {health}");
        }
        if verdict == Verdict::Down && !is_backup && self.pool.refuses_work(node.admin) {
            why = format!("{why}; has not served since its nomination");
        }
        match targets.not_run(address.targets().all()) {
            Some(not_run) => format!("{why}; {not_run}"),
            None => why,
        }
    }
}

/// The input of the description of an address, in addition to its state.
#[derive(Clone, Copy)]
struct Context<'a> {
    targets: &'a Targets,
    forced: Option<&'a Override>,
    figures: Figures,
}

/// The address that gives the reason for its node: an eligible one, else one whose standby
/// health is up, else the first.
fn representative(addresses: &[AddressStatus]) -> Option<&AddressStatus> {
    let is_standby_up = |address: &&AddressStatus| address.standby == Some(Health::Up);
    let eligible = addresses.iter().find(|address| address.eligible);
    eligible.or_else(|| addresses.iter().find(is_standby_up)).or_else(|| addresses.first())
}

/// Text for an address that carries less than its full weight, because its node is busy or its
/// agent says so. Empty otherwise.
fn partial_weight(health: Health, address: &AddressState) -> String {
    let percent = address.health().weight_percent;
    let is_partial = percent < 100 && health == Health::Up;
    if is_partial { format!(", carries {percent} % of its weight") } else { String::new() }
}

/// A failure as a reason: `: connection refused`.
fn because(failure: Option<&ProbeFailure>) -> String {
    failure.map(|failure| format!(": {failure}")).unwrap_or_default()
}

/// Describes a verdict.
fn describe_verdict(verdict: Verdict, failure: &str, forced: Option<&Override>, figures: Figures) -> String {
    let Figures { available, min_available, max_ejected } = figures;
    let up = || format!("{} up", counted(available, "active node is", "active nodes are"));
    match verdict {
        Verdict::Up => "up".to_owned(),
        Verdict::ForcedUp | Verdict::Drained | Verdict::ForcedDown => {
            forced.map(Override::description).unwrap_or_default()
        }
        Verdict::BackupNeeded => {
            format!("backup, needed: {}, min_available is {min_available}", up())
        }
        Verdict::EjectionCapped => {
            let nodes = counted(max_ejected, "active node is", "active nodes are");
            format!("down{failure}; not ejected, because {nodes} out for bad responses")
        }
        Verdict::UnknownFallback => "not probed yet, eligible because no node is up".to_owned(),
        Verdict::FailOpen => format!("down{failure}; eligible because no node is up"),
        Verdict::BackupNotNeeded => format!("backup: {}, min_available is {min_available}", up()),
        Verdict::Down => format!("down{failure}"),
        Verdict::Unknown => "not probed yet".to_owned(),
    }
}
