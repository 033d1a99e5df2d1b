//! How the nodes of a pool stand, in words: what the log of flips leaves out.

use std::net::IpAddr;

use super::Health;
use super::table::{Standing, Table};
use crate::overrides::{Override, Overrides, full_name};
use crate::pool::{Pool, Role, Verdict, active_up};
use crate::status::{AddressStatus, NodeStatus, PoolStatus};

/// What is known of a pool when somebody asks.
pub(super) struct Known<'a> {
    pub(super) pool: &'a Pool,
    pub(super) slots: &'a [(usize, IpAddr)],
    pub(super) verdicts: &'a [Verdict],
    /// For each node, when the last answer that held it has expired.
    pub(super) idle_from: &'a [Option<u64>],
    pub(super) overrides: &'a Overrides,
}

/// Tells how a pool stands; `index` is its place in the table.
pub(super) fn of_pool(known: &Known<'_>, table: &Table, index: usize) -> PoolStatus {
    let Known { pool, slots, verdicts, idle_from, overrides } = known;
    let standings = table.pool(index);
    let available = active_up(pool, slots, verdicts);
    let mut rest = slots.iter().zip(verdicts.iter()).zip(&standings).enumerate().peekable();
    let mut nodes = Vec::new();
    for (n, node) in pool.nodes.iter().enumerate() {
        let said = overrides.get(&full_name(&pool.name, &node.name));
        let mut addresses = Vec::new();
        // The addresses of a node follow each other, in the order of the nodes.
        while let Some((slot, ((&(_, address), &verdict), standing))) =
            rest.next_if(|(_, (((owner, _), _), _))| *owner == n)
        {
            let failure = table.failure(index, slot).map(ToString::to_string);
            addresses.push(AddressStatus {
                address: address.to_string(),
                health: standing.health.to_string(),
                percent: standing.percent,
                eligible: verdict.is_eligible(),
                why: why(verdict, failure, said, available, pool.least_active()) + &carried(standing),
            });
        }
        // The address that speaks for the node: one that is answered, if any is.
        let speaker = addresses.iter().find(|address| address.eligible).or_else(|| addresses.first());
        nodes.push(NodeStatus {
            name: node.name.to_string(),
            role: if node.role == Role::Active { "active" } else { "backup" }.to_owned(),
            weight: node.weight,
            eligible: speaker.is_some_and(|address| address.eligible),
            why: speaker.map(|address| address.why.clone()).unwrap_or_default(),
            r#override: said.cloned(),
            idle_from: idle_from.get(n).copied().flatten(),
            addresses,
        });
    }
    PoolStatus { name: pool.name.to_string(), min_available: pool.least_active(), available, nodes }
}

/// What an agent, or being busy, leaves of a weight.
fn carried(standing: &Standing) -> String {
    let partly = standing.percent < 100 && standing.health == Health::Up;
    if partly { format!(", carries {} % of its weight", standing.percent) } else { String::new() }
}

fn why(verdict: Verdict, failure: Option<String>, said: Option<&Override>, available: usize, least: usize) -> String {
    let said = || said.map(Override::described).unwrap_or_default();
    let failure = failure.map(|failure| format!(": {failure}")).unwrap_or_default();
    match verdict {
        Verdict::Up => "up".to_owned(),
        Verdict::ForcedUp | Verdict::Drained | Verdict::ForcedDown => said(),
        Verdict::StandsIn => format!("backup, stands in: {available} of {least} required active nodes are up"),
        Verdict::BetterThanNobody => "not probed yet, answered because no node is up".to_owned(),
        Verdict::FailsOpen => format!("down{failure}; answered because no node is up"),
        Verdict::Standby => format!("backup: {available} of {least} required active nodes are up"),
        Verdict::Down => format!("down{failure}"),
        Verdict::Unprobed => "not probed yet".to_owned(),
    }
}
