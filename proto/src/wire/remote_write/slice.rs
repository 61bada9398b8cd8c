//! A request in parts, by where its series belong.

use std::collections::BTreeMap;

use model::{Partition, Series};

use crate::wire::protobuf::{Content, field};

/// Copies each series of `request` that was kept when it was decoded to where it belongs. What comes out are
/// requests too, not compressed, without metadata and without what was rejected.
///
/// `kept` is what it was decoded to, every label range inside of `request`; `to` says for each of them (by its place
/// in `kept`, ascending) where it goes, to several partitions by several pairs. `None` if not all of them stand in
/// `request`: then it was decoded to something else.
pub(in crate::wire) fn slice(
    request: &[u8],
    kept: &[Series],
    to: &[(u32, Partition)],
) -> Option<BTreeMap<Partition, Vec<u8>>> {
    let mut slices = BTreeMap::<Partition, Vec<u8>>::new();
    let mut rest = to;
    let mut at = 0;
    while let Some(&(place, _)) = rest.first() {
        if at >= request.len() {
            break;
        }
        let (number, content, next) = field(request, at, request.len()).ok()?;
        let whole = &request[at..next];
        at = next;
        let (1, Content::Length(from, _)) = (number, content) else {
            continue;
        };
        // The labels of a kept series begin where its content does; one that was left out is passed over.
        let is_kept = kept.get(place as usize).is_some_and(|series| series.labels.start as usize == from);
        if !is_kept {
            continue;
        }
        let own = rest.iter().take_while(|it| it.0 == place).count();
        for (_, partition) in &rest[..own] {
            slices.entry(*partition).or_default().extend_from_slice(whole);
        }
        rest = &rest[own..];
    }
    rest.is_empty().then_some(slices)
}
