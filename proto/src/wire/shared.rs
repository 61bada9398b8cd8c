//! What two series have in common.

/// How many bytes both begin with.
#[inline]
pub(super) fn front(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let whole = 8 * words.take_while(|(a, b)| a == b).count();
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(a, b)| a == b).count()
}

/// How many bytes both end with.
#[inline]
pub(super) fn back(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_rchunks::<8>().1.iter().rev().zip(b.as_rchunks::<8>().1.iter().rev());
    let whole = 8 * words.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - whole], &b[..b.len() - whole]);
    whole + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shared_is_counted_to_the_byte(
            front_bytes in prop::collection::vec(any::<u8>(), 0..40),
            own in prop::collection::vec(0..3_u8, 0..4),
            other in prop::collection::vec(0..3_u8, 0..4),
            back_bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let a = [&front_bytes[..], &own, &back_bytes].concat();
            let b = [&front_bytes[..], &other, &back_bytes].concat();
            let want_front = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            let want_back = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
            prop_assert_eq!((front(&a, &b), back(&a, &b)), (want_front, want_back));
        }
    }
}
