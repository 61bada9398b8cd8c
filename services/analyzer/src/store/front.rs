//! Many label sets as one run of bytes, each told by how it differs from the one before.
//!
//! Senders repeat their series in one order, so neighbours share most of their labels: 250 bytes of labels become
//! some 15. A set is three lengths as base-128 varints, what it has in common with the set before at its beginning
//! and at its end, and how many bytes stand between; and these bytes.

/// No more than this is taken over at either end: a hostile run cannot grow beyond what its length allows by much.
const SHARED_MAX: usize = 1024;

/// Bytes compared at once.
const STEP: usize = 16;

/// Writes the sets one after another.
pub(super) fn pack<'a>(sets: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut before: &[u8] = &[];
    for set in sets {
        let head = common_head(before, set).min(SHARED_MAX);
        let (rest_before, rest) = (&before[head..], &set[head..]);
        let tail = common_tail(rest_before, rest).min(SHARED_MAX);
        let own = &rest[..rest.len() - tail];
        [head, tail, own.len()].into_iter().for_each(|length| put_varint(length, &mut packed));
        packed.extend_from_slice(own);
        before = set;
    }
    packed
}

/// Reads what [`pack`] wrote.
#[derive(Debug)]
pub(super) struct Unpacker<'a> {
    rest: &'a [u8],
    before: Vec<u8>,
    set: Vec<u8>,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(packed: &'a [u8]) -> Self {
        Self { rest: packed, before: Vec::new(), set: Vec::new() }
    }

    /// The next set; `None` if what is there is none.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        let head = self.take_varint().filter(|head| *head <= SHARED_MAX)?;
        let tail = self.take_varint().filter(|tail| *tail <= SHARED_MAX)?;
        let length = self.take_varint()?;
        let (own, rest) = self.rest.split_at_checked(length)?;
        let tail_from = self.set.len().checked_sub(tail)?;
        self.rest = rest;
        std::mem::swap(&mut self.before, &mut self.set);
        self.set.clear();
        self.set.extend_from_slice(self.before.get(..head)?);
        self.set.extend_from_slice(own);
        self.set.extend_from_slice(&self.before[tail_from..]);
        Some(&self.set)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn take_varint(&mut self) -> Option<usize> {
        let mut value = 0_u32;
        for shift in (0..32).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value as usize);
            }
        }
        None
    }
}

fn put_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn common_head(a: &[u8], b: &[u8]) -> usize {
    let steps = a.chunks_exact(STEP).zip(b.chunks_exact(STEP)).take_while(|(a, b)| a == b).count() * STEP;
    steps + a[steps..].iter().zip(&b[steps..]).take_while(|(a, b)| a == b).count()
}

fn common_tail(a: &[u8], b: &[u8]) -> usize {
    let steps = a.rchunks_exact(STEP).zip(b.rchunks_exact(STEP)).take_while(|(a, b)| a == b).count() * STEP;
    let (a, b) = (&a[..a.len() - steps], &b[..b.len() - steps]);
    steps + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpacked(packed: &[u8], sets: usize) -> Option<Vec<Vec<u8>>> {
        let mut unpacker = Unpacker::new(packed);
        let sets = (0..sets).map(|_| unpacker.next().map(<[u8]>::to_vec)).collect();
        assert!(unpacker.is_at_end());
        sets
    }

    #[test]
    fn neighbours_cost_what_they_differ_by() {
        let sets: Vec<String> =
            (0..100).map(|at| format!("{}le={at:03}{}", "a".repeat(90), "b".repeat(90))).collect();
        let packed = pack(sets.iter().map(String::as_bytes));
        assert!(packed.len() < 100 * 6 + 200, "{}", packed.len());
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for (bytes, why) in [
            (&[][..], "nothing"),
            (&[0, 0, 5, 1], "cut short"),
            (&[1, 0, 0], "a head of nothing"),
            (&[0, 1, 0], "a tail of nothing"),
            (&[0x81, 0x08, 0, 0], "more in common than is ever taken over"),
            (&[0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "a length beyond all bounds"),
        ] {
            assert_eq!(Unpacker::new(bytes).next(), None, "{why}");
        }
    }

    proptest! {
        #[test]
        fn sets_come_out_as_they_were(
            sets in prop::collection::vec(prop::collection::vec(0_u8..3, 0..60), 0..20),
            long in 0_usize..3000,
        ) {
            let mut sets = sets;
            sets.extend([vec![7; long], vec![7; long / 2], vec![7; long]]);
            let packed = pack(sets.iter().map(Vec::as_slice));
            prop_assert_eq!(unpacked(&packed, sets.len()), Some(sets));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut unpacker = Unpacker::new(&bytes);
            while unpacker.next().is_some() {}
        }
    }
}
