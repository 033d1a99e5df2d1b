//! The draw: which nodes of one address family go into a response, and in which order.
//!
//! The responder calls [`Candidates::draw`] per response. It draws `k = min(limit, ⌊Σw / w_max⌋)`
//! nodes and then shuffles them:
//!
//! - **Equal weights**: every set of `k` nodes is equally likely (Floyd's sampling, O(k)).
//! - **Unequal weights**: a node is drawn with a probability of exactly `k·w / Σw` (systematic
//!   sampling over prefix sums). This bounds `k`: with more nodes, the heaviest would need a
//!   probability above one. An answer that holds all nodes of a small pool would make all weights
//!   void.
//! - **Shuffle**: clients that take the first record must be balanced, too. A shuffled draw that is
//!   cut short keeps the shares, so a response may hold as many addresses as fit.

use smallvec::SmallVec;

/// Bytes of an IPv4 address.
pub const FAMILY_V4: usize = 4;
/// Bytes of an IPv6 address.
pub const FAMILY_V6: usize = 16;

/// Weighted pools up to this size are put into a new random order for each draw. Larger pools keep
/// the random order from when they were built, so that a draw costs the same in pools of any size.
const MAX_REORDERED: usize = 64;

/// Draws up to this size find repetitions by comparison, larger draws by a bit set.
const MAX_COMPARED: usize = 16;

/// One node with its eligible addresses of a family.
#[derive(Clone, Debug)]
pub(super) struct Candidate<const N: usize> {
    /// Index of the node in its pool.
    pub node: u32,
    /// At least 1.
    pub weight: u32,
    /// At least one.
    pub addresses: Addresses<N>,
}

type Addresses<const N: usize> = SmallVec<[[u8; N]; 1]>;

/// An address that was drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pick<const N: usize> {
    /// The rdata of its record.
    pub address: [u8; N],
    /// Index of its node in the pool. A fallback address has the index after the last node.
    pub node: u32,
}

/// Addresses that were drawn, in random order.
pub type Drawn<const N: usize> = SmallVec<[Pick<N>; 8]>;

/// Indices of candidates.
type Indices = SmallVec<[u32; MAX_COMPARED]>;

/// The eligible nodes of one address family, prepared for draws.
#[derive(Debug)]
pub struct Candidates<const N: usize> {
    /// The first address of each node.
    firsts: Box<[Pick<N>]>,
    /// All addresses of each node; empty if no node has more than one.
    all: Box<[Addresses<N>]>,
    /// Empty if all weights are equal.
    weights: Box<[u32]>,
    /// Sums of the weights up to and including each node; empty if all weights are equal.
    prefix_sums: Box<[u64]>,
    /// ⌊Σw / w_max⌋: the most nodes that one draw can hold with exact shares.
    capacity: usize,
}

impl<const N: usize> Candidates<N> {
    /// Prepares nodes for draws. `rng` orders large weighted pools.
    pub(super) fn new(mut nodes: Vec<Candidate<N>>, rng: &mut fastrand::Rng) -> Self {
        let heaviest = nodes.iter().map(|node| node.weight).max().unwrap_or(1);
        let is_equal = nodes.iter().all(|node| node.weight == heaviest);
        if !is_equal && nodes.len() > MAX_REORDERED {
            rng.shuffle(&mut nodes);
        }
        let weights: Box<[u32]> =
            if is_equal { Box::default() } else { nodes.iter().map(|node| node.weight).collect() };
        let prefix_sums: Box<[u64]> = weights
            .iter()
            .scan(0, |sum, &weight| {
                *sum += u64::from(weight);
                Some(*sum)
            })
            .collect();
        let capacity = prefix_sums.last().map_or(nodes.len(), |total| (total / u64::from(heaviest)) as usize);
        let firsts = nodes.iter().map(|node| Pick { address: node.addresses[0], node: node.node }).collect();
        let have_one = nodes.iter().all(|node| node.addresses.len() == 1);
        let all = if have_one { Box::default() } else { nodes.into_iter().map(|node| node.addresses).collect() };
        Self { firsts, all, weights, prefix_sums, capacity }
    }

    /// Returns true if the family has no eligible address.
    pub fn is_empty(&self) -> bool {
        self.firsts.is_empty()
    }

    /// Draws up to `limit` nodes, and one address of each, in random order.
    pub fn draw(&self, limit: usize, rng: &mut fastrand::Rng) -> Drawn<N> {
        let count = limit.min(self.capacity);
        let mut drawn = if count == self.firsts.len() && self.all.is_empty() {
            Drawn::from_slice(&self.firsts)
        } else {
            let indices = if self.weights.is_empty() {
                draw_equal(self.firsts.len(), count, rng)
            } else if self.weights.len() <= MAX_REORDERED {
                self.draw_reordered(count, rng)
            } else {
                self.draw_systematic(count, rng)
            };
            indices.into_iter().map(|index| self.draw_address(index as usize, rng)).collect()
        };
        rng.shuffle(&mut drawn);
        drawn
    }

    /// Draws one address of a node.
    fn draw_address(&self, index: usize, rng: &mut fastrand::Rng) -> Pick<N> {
        let first = self.firsts[index];
        match self.all.get(index) {
            Some(addresses) if addresses.len() > 1 => {
                Pick { address: addresses[rng.usize(..addresses.len())], ..first }
            }
            _ => first,
        }
    }

    /// Systematic sampling in the stored order: `count` points, evenly spaced from a random start.
    ///
    /// In units of 1/`count` the points are `start + i·Σw`, and node j has the range
    /// `[count·S(j-1), count·S(j))`. No range is longer than Σw, so a node gets at most one point,
    /// with probability `count·w/Σw`.
    fn draw_systematic(&self, count: usize, rng: &mut fastrand::Rng) -> Indices {
        let total = self.prefix_sums[self.prefix_sums.len() - 1];
        let start = rng.u64(..total);
        let point = |i: usize| (start + i as u64 * total) / count as u64;
        (0..count).map(|i| self.prefix_sums.partition_point(|&sum| sum <= point(i)) as u32).collect()
    }

    /// Systematic sampling in a new random order.
    ///
    /// Each set that the weights allow is drawn at times; one fixed order would exclude some.
    fn draw_reordered(&self, count: usize, rng: &mut fastrand::Rng) -> Indices {
        let mut order: SmallVec<[u32; MAX_REORDERED]> = (0..self.weights.len() as u32).collect();
        rng.shuffle(&mut order);
        let total = self.prefix_sums[self.prefix_sums.len() - 1];
        let mut next_point = rng.u64(..total);
        let mut reached = 0;
        let mut indices = Indices::new();
        for node in order {
            reached += u64::from(self.weights[node as usize]) * count as u64;
            if next_point < reached {
                indices.push(node);
                next_point += total;
            }
        }
        indices
    }
}

/// Draws `count` different numbers below `len`, every set equally likely (Floyd: CACM 30(9), 1987).
fn draw_equal(len: usize, count: usize, rng: &mut fastrand::Rng) -> Indices {
    let mut indices = Indices::new();
    let mut is_drawn: Vec<u64> = if count > MAX_COMPARED { vec![0; len.div_ceil(64)] } else { Vec::new() };
    for last in len - count..len {
        let mut index = rng.usize(..=last);
        let is_repeated = match is_drawn.get(index / 64) {
            Some(bits) => bits >> (index % 64) & 1 == 1,
            None => indices.contains(&(index as u32)),
        };
        if is_repeated {
            index = last;
        }
        if let Some(bits) = is_drawn.get_mut(index / 64) {
            *bits |= 1 << (index % 64);
        }
        indices.push(index as u32);
    }
    indices
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn candidates(weights: &[u32]) -> Candidates<4> {
        let node = |(i, &weight): (usize, &u32)| Candidate {
            node: i as u32,
            weight,
            addresses: smallvec::smallvec![(i as u32).to_be_bytes()],
        };
        Candidates::new(weights.iter().enumerate().map(node).collect(), &mut fastrand::Rng::with_seed(3))
    }

    fn drawn(from: &Candidates<4>, limit: usize, rng: &mut fastrand::Rng) -> Vec<usize> {
        let drawn = from.draw(limit, rng);
        assert!(drawn.iter().all(|pick| pick.address == pick.node.to_be_bytes()));
        drawn.iter().map(|pick| pick.node as usize).collect()
    }

    /// Pearson's chi-squared test for equal frequencies. `bound` is far above the 99.99 % quantile.
    fn assert_even(counts: impl IntoIterator<Item = u32>, bound: f64) {
        let counts: Vec<u32> = counts.into_iter().collect();
        let mean = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
        let statistic: f64 = counts.into_iter().map(|count| (f64::from(count) - mean).powi(2) / mean).sum();
        assert!(statistic < bound, "chi-squared is {statistic}, at most {bound} is accepted");
    }

    #[test]
    fn equal_weights_draw_every_set_and_every_first_node_equally_often() {
        let from = candidates(&[1; 7]);
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut sets, mut firsts) = (BTreeMap::new(), [0_u32; 7]);
        for _ in 0..70_000 {
            let mut draw = drawn(&from, 3, &mut rng);
            firsts[draw[0]] += 1;
            draw.sort_unstable();
            *sets.entry(draw).or_insert(0_u32) += 1;
        }
        assert_eq!(sets.len(), 35);
        assert_even(sets.into_values(), 90.0);
        assert_even(firsts, 40.0);
    }

    #[test]
    fn a_draw_of_all_nodes_has_every_order_equally_often() {
        let from = candidates(&[5; 3]);
        let mut rng = fastrand::Rng::with_seed(7);
        let mut orders = BTreeMap::new();
        for _ in 0..12_000 {
            *orders.entry(drawn(&from, 8, &mut rng)).or_insert(0_u32) += 1;
        }
        assert_eq!(orders.len(), 6);
        assert_even(orders.into_values(), 35.0);
    }

    #[test]
    fn nodes_are_drawn_in_proportion_to_their_weights_in_small_and_large_pools() {
        let small: Vec<u32> = vec![1, 2, 1, 4];
        let large: Vec<u32> = (0..200).map(|i| 1 + i % 5).collect();
        for (weights, limit) in [(small.clone(), 1), (small, 8), (large.clone(), 8), (large, 40)] {
            let from = candidates(&weights);
            let total: u32 = weights.iter().sum();
            let count = limit.min((total / weights.iter().max().unwrap()) as usize);
            let rounds = 60_000;
            let (mut included, mut first) = (vec![0_u32; weights.len()], vec![0_u32; weights.len()]);
            let mut rng = fastrand::Rng::with_seed(11);
            for _ in 0..rounds {
                let draw = drawn(&from, limit, &mut rng);
                assert_eq!(draw.len(), count);
                first[draw[0]] += 1;
                draw.iter().for_each(|&node| included[node] += 1);
            }
            for (node, &weight) in weights.iter().enumerate() {
                let share = f64::from(weight) / f64::from(total);
                for (seen, expected) in [(included[node], share * count as f64), (first[node], share)] {
                    let expected = expected * f64::from(rounds);
                    let off = (f64::from(seen) - expected).abs();
                    assert!(off < 6.0 * expected.sqrt(), "node {node}: drawn {seen} times, {expected} expected");
                }
            }
        }
    }

    #[test]
    fn a_node_with_several_addresses_is_answered_with_each_of_them() {
        let node = Candidate { node: 0, weight: 1, addresses: smallvec::smallvec![[1; 4], [2; 4]] };
        let from = Candidates::new(vec![node], &mut fastrand::Rng::with_seed(1));
        let mut rng = fastrand::Rng::with_seed(1);
        let ones = (0..1000).filter(|_| from.draw(8, &mut rng)[0].address == [1; 4]).count();
        assert!((400..600).contains(&ones));
    }

    proptest! {
        /// A draw holds different nodes, `min(limit, ⌊Σw / w_max⌋)` of them.
        #[test]
        fn draws_hold_as_many_different_nodes_as_weights_allow(weights in prop::collection::vec(1_u32..50, 0..300), limit in 0_usize..300, seed: u64) {
            let from = candidates(&weights);
            let draw = drawn(&from, limit, &mut fastrand::Rng::with_seed(seed));
            let total: u32 = weights.iter().sum();
            let capacity = weights.iter().max().map_or(0, |max| (total / max) as usize);
            prop_assert_eq!(draw.len(), limit.min(capacity));
            let mut unique = draw;
            unique.sort_unstable();
            let len = unique.len();
            unique.dedup();
            prop_assert_eq!(unique.len(), len);
        }
    }
}
