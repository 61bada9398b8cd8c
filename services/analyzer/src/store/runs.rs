//! Numbers most of which are zero, as the slots of a window are: a zero is followed by how many zeros stand there.

/// Writes each run of zeros as a zero and its length.
pub(super) fn pack(numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut packed = Vec::new();
    let mut zeros = 0;
    for number in numbers {
        if number == 0 {
            zeros += 1;
            continue;
        }
        if zeros > 0 {
            packed.extend([0, std::mem::take(&mut zeros)]);
        }
        packed.push(number);
    }
    if zeros > 0 {
        packed.extend([0, zeros]);
    }
    packed
}

/// Undoes [`pack`]; `None` unless there are exactly `len` numbers.
pub(super) fn unpack(packed: &[u64], len: usize) -> Option<Vec<u64>> {
    let mut numbers = Vec::with_capacity(len);
    let mut rest = packed.iter();
    while let Some(&number) = rest.next() {
        let times = if number == 0 { usize::try_from(*rest.next()?).ok()? } else { 1 };
        if times > len - numbers.len() {
            return None;
        }
        numbers.resize(numbers.len() + times, number);
    }
    (numbers.len() == len).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_that_do_not_fit_are_refused() {
        for packed in [&[0, 4][..], &[0, 2], &[0], &[1, 2, 3, 4], &[0, u64::MAX, 0, u64::MAX]] {
            assert_eq!(unpack(packed, 3), None, "{packed:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out_as_it_was(
            numbers in prop::collection::vec(prop_oneof![3 => Just(0), 1 => any::<u64>()], 0..200),
        ) {
            let packed = pack(numbers.iter().copied());
            prop_assert_eq!(unpack(&packed, numbers.len()), Some(numbers));
        }
    }
}
