//! Which part of a global sequence belongs to whom: computed from indexes, in integers, so that the parts are exact.

/// One part of a sequence dealt out like cards: part `index` of `count` holds the items `index`, `index + count`, ….
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    index: u32,
    count: u32,
}

impl Share {
    /// The whole sequence.
    pub const WHOLE: Share = Share { index: 0, count: 1 };

    /// Part `index` of `count`; `None` unless `index < count`.
    pub fn new(index: u32, count: u32) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// This part's number, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many parts there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// How many of the items `0..total` are in this part.
    pub fn of(self, total: u64) -> u64 {
        let (index, count) = (u64::from(self.index), u64::from(self.count));
        total / count + u64::from(index < total % count)
    }

    /// The global number of this part's item `n`.
    pub fn item(self, n: u64) -> u64 {
        u64::from(self.index) + n * u64::from(self.count)
    }

    /// Part `index` of `count` of this part.
    pub fn sub(self, index: u32, count: u32) -> Option<Self> {
        let parts = self.count.checked_mul(count)?;
        (index < count).then(|| Self { index: self.index + index * self.count, count: parts })
    }
}

/// How many of `requests` fall to the connections `owned` (a share of `connections`), when request *i* belongs to
/// connection *i* mod `connections`.
///
/// A worker with more connections so gets more requests, all of them finish at about the same time, and a worker
/// without a connection gets none.
pub fn requests_of(owned: Share, connections: u32, requests: u64) -> u64 {
    let (whole_rounds, rest) =
        (requests / u64::from(connections.max(1)), requests % u64::from(connections.max(1)));
    owned.of(u64::from(connections)) * whole_rounds + owned.of(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_numbers_are_dealt_exactly() {
        let connections: Vec<u64> = (0..3).map(|k| Share::new(k, 3).unwrap().of(7)).collect();
        assert_eq!(connections, [3, 2, 2]);

        let requests: Vec<u64> = (0..3).map(|k| requests_of(Share::new(k, 3).unwrap(), 7, 1001)).collect();
        assert_eq!(requests, [429, 286, 286]);
    }

    #[test]
    fn a_worker_without_a_connection_gets_no_request() {
        let requests: Vec<u64> = (0..4).map(|k| requests_of(Share::new(k, 4).unwrap(), 2, 1001)).collect();
        assert_eq!(requests, [501, 500, 0, 0]);
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_and_cover_the_whole(total in 0u64..500, workers in 1u32..9, threads in 1u32..5) {
            let mut items = Vec::new();
            for k in 0..workers {
                for j in 0..threads {
                    let part = Share::new(k, workers).unwrap().sub(j, threads).unwrap();
                    items.extend((0..part.of(total)).map(|n| part.item(n)));
                }
            }
            items.sort_unstable();
            prop_assert_eq!(items, (0..total).collect::<Vec<_>>());
        }

        #[test]
        fn requests_add_up_whatever_the_connections(requests in 0u64..1 << 40, connections in 1u32..5000, workers in 1u32..200) {
            let sum: u64 = (0..workers).map(|k| requests_of(Share::new(k, workers).unwrap(), connections, requests)).sum();
            prop_assert_eq!(sum, requests);
        }

        #[test]
        fn connections_carry_the_same_number_of_requests_give_or_take_one(
            requests in 0u64..100_000, connections in 1u32..100, workers in 1u32..20,
        ) {
            for k in 0..workers {
                let owned = Share::new(k, workers).unwrap();
                let (mine, held) = (requests_of(owned, connections, requests), owned.of(u64::from(connections)));
                prop_assert!(mine >= held * (requests / u64::from(connections)));
                prop_assert!(mine <= held * requests.div_ceil(u64::from(connections)));
            }
        }
    }
}
