//! `freezes`: times in which less is done automatically.

use std::collections::BTreeMap;

use crate::{
    Freeze, FreezeEffect, TimeInterval,
    diagnostic::{Diagnostics, nearest},
    yaml::{Node, Reader},
};

use super::matching;

const EFFECTS: [(&str, FreezeEffect); 3] =
    [("allow", FreezeEffect::Allow), ("approve", FreezeEffect::Approve), ("deny", FreezeEffect::Deny)];

pub(super) fn read(root: &mut Reader<'_, '_>, intervals: &BTreeMap<String, TimeInterval>) -> Vec<Freeze> {
    let diagnostics = root.diagnostics();
    root.list("freezes").iter().filter_map(|node| freeze(node, intervals, diagnostics)).collect()
}

fn freeze(
    node: &Node,
    intervals: &BTreeMap<String, TimeInterval>,
    diagnostics: &Diagnostics,
) -> Option<Freeze> {
    let mut reader = Reader::open(node, "a freeze", diagnostics)?;
    let matching = matching::read(&mut reader);
    let promote = reader.choice("promote", &EFFECTS);
    let rollback = reader.choice("rollback", &EFFECTS);
    if reader.get("promote").is_none() && reader.get("rollback").is_none() {
        let hint = "say what is frozen: promote: deny, rollback: approve";
        diagnostics.warning(node, "this freeze has no effect", hint);
    }
    let names = reader.get("time_intervals");
    for name in names.map(|names| names.items().unwrap_or(std::slice::from_ref(names))).unwrap_or_default() {
        check_interval(name, intervals, diagnostics);
    }
    let time_intervals = reader.texts("time_intervals").unwrap_or_default();
    reader.finish();
    Some(Freeze {
        place: Some(node.place.clone()),
        matching,
        time_intervals,
        promote: promote.unwrap_or(FreezeEffect::Allow),
        rollback: rollback.unwrap_or(FreezeEffect::Allow),
    })
}

fn check_interval(node: &Node, intervals: &BTreeMap<String, TimeInterval>, diagnostics: &Diagnostics) {
    let Some(name) = node.text() else { return };
    if !intervals.contains_key(name) {
        let hint = match nearest(name, intervals.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "define it under `time_intervals`".to_owned(),
        };
        diagnostics.error_hint(node, format!("no time interval is called `{name}`"), hint);
    }
}
