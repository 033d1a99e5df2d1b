//! How the nodes of a pool stand, in words: what the log of flips leaves out.

use super::Health;
use super::probe::Failure;
use super::served::Served;
use super::table::{Standing, Table};
use crate::overrides::{Override, Overrides, full_name};
use crate::pool::{Role, Verdict};
use crate::status::{AddressStatus, NodeStatus, PoolStatus};

/// Tells how a pool stands; `index` is its place in the table.
pub(super) fn of_pool(served: &Served, overrides: &Overrides, table: &Table, index: usize) -> PoolStatus {
    let Served { pool, slots, said, verdicts, idle_from, .. } = served;
    let standings = served.believed(table.pool(index));
    let (available, least, most) = (served.available(), pool.least_active(said), pool.most_ejected(said));
    let figures = Figures { available, least, most };
    let mut rest = slots.iter().zip(verdicts.iter()).zip(&standings).enumerate().peekable();
    let mut nodes = Vec::new();
    for (n, node) in pool.nodes.iter().enumerate() {
        let name = full_name(&pool.name, &node.name);
        let (word, nomination) = (overrides.get(&name), overrides.nomination(&name));
        let is_backup = said[n].role == Role::Backup;
        let mut is_up = false;
        let mut addresses = Vec::new();
        // The addresses of a node follow each other, in the order of the nodes.
        while let Some((slot, ((&(_, address), &verdict), standing))) =
            rest.next_if(|(_, (((owner, _), _), _))| *owner == n)
        {
            is_up |= matches!(verdict, Verdict::Up | Verdict::ForcedUp);
            let failure = because(table.failure(index, slot));
            let is_spare = is_backup && !pool.standby_monitors.is_empty() && word.is_none();
            let mut why = match verdict {
                Verdict::Down | Verdict::Unprobed if is_spare && standing.standby == Health::Up => {
                    format!("alive as a spare, not serving{failure}")
                }
                _ => why(verdict, &failure, word, figures) + &carried(standing),
            };
            if is_spare && standing.standby == Health::Down {
                why = format!("{why}; not alive as a spare{}", because(table.standby_failure(index, slot)));
            }
            if word.is_some() {
                why = format!("{why}; by its monitors {}", standing.health);
            }
            if verdict == Verdict::Down && !is_backup && pool.refuses_work(said[n]) {
                why = format!("{why}; has yet to serve since its nomination");
            }
            if let Some(untried) = table.untried(index, slot) {
                why = format!("{why}; {untried}");
            }
            addresses.push(AddressStatus {
                address,
                health: standing.health,
                percent: standing.percent,
                eligible: verdict.is_eligible(),
                standby: is_backup.then_some(standing.standby),
                why,
            });
        }
        // The address that speaks for the node: one that is answered, if any is.
        let is_alive = |address: &&AddressStatus| address.standby == Some(Health::Up);
        let speaker = addresses.iter().find(|address| address.eligible);
        let speaker = speaker.or_else(|| addresses.iter().find(is_alive)).or_else(|| addresses.first());
        nodes.push(NodeStatus {
            name: node.name.to_string(),
            role: said[n].role,
            up: is_up,
            promoted: served.is_promoted(n, &standings),
            weight: node.weight,
            eligible: speaker.is_some_and(|address| address.eligible),
            records: None,
            why: speaker.map(|address| address.why.clone()).unwrap_or_default(),
            r#override: word.cloned(),
            nomination: nomination.cloned(),
            idle_from: idle_from.get(n).copied().flatten(),
            addresses,
        });
    }
    PoolStatus { name: pool.name.to_string(), min_available: least, available, nodes, fallback_records: None }
}

/// What an agent, or being busy, leaves of a weight.
fn carried(standing: &Standing) -> String {
    let partly = standing.percent < 100 && standing.health == Health::Up;
    if partly { format!(", carries {} % of its weight", standing.percent) } else { String::new() }
}

/// Figures of a pool that are reasons.
#[derive(Clone, Copy)]
struct Figures {
    /// Active nodes that are up.
    available: usize,
    /// Those that should be.
    least: usize,
    /// Those that may be out for bad answers.
    most: usize,
}

/// `: connection refused`.
fn because(failure: Option<&Failure>) -> String {
    failure.map(|failure| format!(": {failure}")).unwrap_or_default()
}

fn why(verdict: Verdict, failure: &str, word: Option<&Override>, figures: Figures) -> String {
    let Figures { available, least, most } = figures;
    let said = || word.map(Override::described).unwrap_or_default();
    match verdict {
        Verdict::Up => "up".to_owned(),
        Verdict::ForcedUp | Verdict::Drained | Verdict::ForcedDown => said(),
        Verdict::StandsIn => format!("backup, stands in: {available} of {least} required active nodes are up"),
        Verdict::Kept => format!("down{failure}; kept, because {most} active nodes are out for bad answers"),
        Verdict::BetterThanNobody => "not probed yet, answered because no node is up".to_owned(),
        Verdict::FailsOpen => format!("down{failure}; answered because no node is up"),
        Verdict::NotNeeded => format!("backup: {available} of {least} required active nodes are up"),
        Verdict::Down => format!("down{failure}"),
        Verdict::Unprobed => "not probed yet".to_owned(),
    }
}
