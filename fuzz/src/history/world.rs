//! The input: shapes of pools, and what happens to them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_core::pool::{AutoNominate, ForcedState, Node, NodeCount, Pool, Role, WhenEmpty};
use evenkeel_core::state::{AddressTargets, TargetId};
use libfuzzer_sys::arbitrary::{self, Arbitrary, Unstructured};

/// Nodes of a pool.
pub(super) const NODES: usize = 8;

/// Number of pools. They probe the same targets.
pub(super) const POOLS: usize = 2;

/// Most steps of a history.
const MAX_STEPS: usize = 150;

/// Two configurations, and a history.
#[derive(Debug)]
pub struct World {
    /// Per configuration, per pool.
    pub(super) shapes: [[Shape; POOLS]; 2],
    /// Results in a row that bring a target up, and that take it down.
    pub(super) rise_and_fall: (u32, u32),
    pub(super) steps: Vec<Step>,
}

/// The configuration of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Number of backups. They are the first nodes if `backups_come_first`, and the last nodes
    /// otherwise.
    backups: usize,
    backups_come_first: bool,
    min_available: NodeCount,
    max_ejected: NodeCount,
    has_standby: bool,
    auto_nominates: bool,
    when_empty: WhenEmpty,
    /// A bit per node: whether its address is of IPv6.
    families: u8,
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A probe of a node passes, with a part of its weight.
    Pass(usize, u8),
    /// A probe of a node gets a bad response.
    BadResponse(usize),
    /// A node refuses the connection.
    Refuse(usize),
    /// A standby probe of a node passes, or not.
    Standby(usize, bool),
    /// This machine cannot probe a node.
    NotRun(usize),
    Force(At, ForcedState, Option<u64>),
    Resume(At),
    /// A node is nominated, perhaps in the place of another one, perhaps for some seconds.
    Nominate(At, Option<usize>, Option<u64>),
    Demote(At),
    Forget(At),
    /// The server nominates where it should.
    AutoNominate,
    /// The same configuration is read again.
    Reload,
    /// The other configuration is read.
    Change,
    /// The process starts again.
    Restart,
    /// Time passes, in milliseconds.
    Wait(u64),
    /// The wall clock is set back, in seconds.
    SetBack(u64),
}

/// A node of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) pool: usize,
    pub(super) node: usize,
}

/// A number below `count`, from one byte.
fn below(count: u8, input: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    Ok(u8::arbitrary(input)? % count)
}

impl Arbitrary<'_> for Shape {
    fn arbitrary(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let flags = u8::arbitrary(input)?;
        let mut count = |least: u8| {
            let number = u8::arbitrary(input)?;
            let is_percent = number & 1 == 1;
            let number = number >> 1;
            Ok(if is_percent {
                NodeCount::Percent((number % 101).max(least))
            } else {
                NodeCount::Count(usize::from((number % 5).max(least)))
            })
        };
        let (min_available, max_ejected) = (count(1)?, count(0)?);
        let policies = [WhenEmpty::All, WhenEmpty::ServFail, WhenEmpty::NoData, WhenEmpty::Fallback];
        Ok(Self {
            backups: usize::from(flags & 3),
            backups_come_first: flags & 4 != 0,
            has_standby: flags & 8 != 0,
            auto_nominates: flags & 16 != 0,
            when_empty: policies[usize::from(flags >> 5) % policies.len()],
            min_available,
            max_ejected,
            families: u8::arbitrary(input)?,
        })
    }
}

impl Arbitrary<'_> for Step {
    /// Three bytes per step.
    fn arbitrary(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let (kind, place, more) = (below(24, input)?, u8::arbitrary(input)?, u8::arbitrary(input)?);
        let node = usize::from(place) % NODES;
        let at = At { pool: usize::from(place >> 7), node };
        let seconds = (more & 0x80 != 0).then_some(u64::from(more >> 3 & 0xf));
        let other = usize::from(more) % NODES;
        Ok(match kind {
            0..4 => Self::Pass(node, if more < 128 { 100 } else { 1 + more % 100 }),
            4..7 => Self::BadResponse(node),
            7..10 => Self::Refuse(node),
            10 => Self::Standby(node, true),
            11 => Self::Standby(node, false),
            12 => Self::NotRun(node),
            13 => Self::Force(
                at,
                [ForcedState::Drain, ForcedState::Up, ForcedState::Down][usize::from(more) % 3],
                seconds,
            ),
            14 => Self::Resume(at),
            15 => Self::Nominate(at, None, seconds),
            16 => Self::Nominate(at, Some(other), seconds),
            17 => Self::Demote(at),
            18 => Self::Forget(at),
            19 => Self::AutoNominate,
            20 => Self::Reload,
            21 if more & 1 == 0 => Self::Change,
            21 => Self::Restart,
            22 => Self::SetBack(u64::from(more)),
            _ => Self::Wait(u64::from(more) * 40),
        })
    }
}

impl Arbitrary<'_> for World {
    fn arbitrary(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let shapes = Arbitrary::arbitrary(input)?;
        let rise_and_fall = (1 + u32::from(below(3, input)?), 1 + u32::from(below(3, input)?));
        let mut steps = Vec::new();
        while !input.is_empty() && steps.len() < MAX_STEPS {
            steps.push(Step::arbitrary(input)?);
        }
        Ok(Self { shapes, rise_and_fall, steps })
    }
}

impl Shape {
    /// The pool with this index.
    pub(super) fn pool(&self, pool: usize) -> Arc<Pool> {
        let node = |i: usize| Node {
            name: format!("n{i}").into(),
            addresses: vec![self.address(i)],
            weight: 1,
            role: if self.is_backup(i) { Role::Backup } else { Role::Active },
        };
        let nodes = (0..NODES).map(node).collect();
        Arc::new(Pool {
            has_standby_monitors: self.has_standby,
            role_settle_time: Duration::from_secs(4),
            auto_nominate: self
                .auto_nominates
                .then_some(AutoNominate { every: Duration::from_secs(600), observe_for: Duration::from_secs(3) }),
            when_empty: self.when_empty,
            fallback: if self.when_empty == WhenEmpty::Fallback { vec![[192, 0, 2, 80].into()] } else { Vec::new() },
            min_available: self.min_available,
            max_ejected: self.max_ejected,
            ..Pool::with_defaults(["core", "mail"][pool], nodes)
        })
    }

    fn is_backup(&self, node: usize) -> bool {
        let from_last = if self.backups_come_first { node } else { NODES - 1 - node };
        from_last < self.backups
    }

    fn address(&self, node: usize) -> IpAddr {
        if self.families >> node & 1 == 1 {
            [0x2001, 0xdb8, 0, 0, 0, 0, 0, node as u16].into()
        } else {
            [10, 0, 0, node as u8].into()
        }
    }

    /// A target per node, and a standby target per node if the pool has standby monitors.
    pub(super) fn targets(&self) -> Vec<Vec<AddressTargets>> {
        let address = |node: usize| AddressTargets {
            serving: vec![serving_target(node)],
            standby: if self.has_standby { vec![standby_target(node)] } else { Vec::new() },
        };
        (0..NODES).map(|node| vec![address(node)]).collect()
    }
}

/// The target that decides the health of a node.
pub(super) fn serving_target(node: usize) -> TargetId {
    TargetId(node as u64)
}

/// The target that decides the standby health of a node.
pub(super) fn standby_target(node: usize) -> TargetId {
    TargetId((NODES + node) as u64)
}
