//! How much a release may carry beside what it is judged by: its links and its facts.
//!
//! Each update may add some, and each change of the release is written whole. Without a bound in all, many small
//! updates would fill memory, the log, and by that push out what others rely on.

use std::{collections::BTreeMap, fmt};

use crate::OWN_FACTS;

/// Links of a release, and facts of a release: at most so many of each, …
pub const DETAIL_ENTRIES_MAX: usize = 64;

/// … of at most so many bytes in all, names and values.
pub const DETAIL_BYTES_MAX: usize = 32 * 1024;

/// What a release would hold beyond its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooManyDetails {
    pub entries: usize,
    pub bytes: usize,
}

impl fmt::Display for TooManyDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, bytes } = self;
        write!(
            f,
            "{entries} entries of {bytes} bytes in all, with those that the release has; at most \
             {DETAIL_ENTRIES_MAX} entries of {DETAIL_BYTES_MAX} bytes are kept"
        )
    }
}

impl std::error::Error for TooManyDetails {}

/// Adds `new` to `have`, a later word of a name in the place of the earlier one. Beyond the limits only
/// Ripcord's own facts are added; these are not counted, as no sender can name them.
pub fn merge_details(
    have: &mut BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Result<(), TooManyDetails> {
    if new.is_empty() {
        return Ok(());
    }
    have.extend(
        new.iter().filter(|(name, _)| name.starts_with(OWN_FACTS)).map(|(k, v)| (k.clone(), v.clone())),
    );
    let kept = have.iter().filter(|(name, _)| !new.contains_key(*name));
    let (mut entries, mut bytes) = (0, 0);
    for (name, value) in kept.chain(new).filter(|(name, _)| !name.starts_with(OWN_FACTS)) {
        entries += 1;
        bytes += name.len() + value.len();
    }
    if entries > DETAIL_ENTRIES_MAX || bytes > DETAIL_BYTES_MAX {
        return Err(TooManyDetails { entries, bytes });
    }
    have.extend(new.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(names: std::ops::Range<usize>, value_bytes: usize) -> BTreeMap<String, String> {
        names.map(|n| (format!("{n:04}"), "x".repeat(value_bytes))).collect()
    }

    #[test]
    fn a_release_holds_so_many_details_in_all_however_many_updates_bring_them() {
        let full = DETAIL_BYTES_MAX / 8 - 4;
        for (have, new, is_taken, why) in [
            (details(0..0, 0), details(0..64, 10), true, "as many as one update may name"),
            (details(0..60, 10), details(60..64, 10), true, "the last that fit"),
            (details(0..60, 10), details(60..65, 10), false, "one too many"),
            (details(0..64, 10), details(0..64, 20), true, "the same names, other values"),
            (details(0..4, full), details(4..8, full), true, "to the last byte"),
            (details(0..4, full), details(4..8, full + 1), false, "few entries of many bytes"),
            (details(0..8, full), details(0..1, full + 1), false, "a value that grows"),
            (details(0..70, 10), details(0..0, 0), true, "nothing new, of a release from before the limits"),
        ] {
            let mut held = have.clone();
            assert_eq!(merge_details(&mut held, &new).is_ok(), is_taken, "{why}");
            let expected = if is_taken { have.into_iter().chain(new).collect() } else { have };
            assert_eq!(held, expected, "{why}");
        }
        let mut held = details(0..64, 10);
        let mut own = BTreeMap::from([(crate::OPENED_BY.to_owned(), "ci".to_owned())]);
        assert_eq!(merge_details(&mut held, &own), Ok(()), "who opened it is Ripcord's own");
        let mut held = BTreeMap::new();
        own.extend(details(0..65, 10));
        assert!(merge_details(&mut held, &own).is_err());
        assert_eq!(held.keys().collect::<Vec<_>>(), [crate::OPENED_BY], "and is kept where the rest is not");
    }
}
