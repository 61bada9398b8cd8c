//! Whether two selectors can mean the same value of a label.

use std::collections::BTreeSet;

use promql_parser::label::{MatchOp, Matcher};
use regex_automata::{
    Anchored, MatchKind,
    hybrid::{
        LazyStateID,
        dfa::{Cache, DFA},
    },
    util::start,
};

use super::Selector;

/// The label that carries a series' name.
const NAME: &str = "__name__";
/// States of all matchers of a label together: those of usual ones have a few dozen. Beyond, nothing is claimed.
const STATES_MAX: usize = 2_000;

impl Selector {
    /// A label of which no value satisfies both selectors. The name is not looked at: different counters may count
    /// the same requests.
    pub(crate) fn excludes(&self, other: &Self) -> Option<&str> {
        let shared =
            self.matchers.iter().map(|matcher| matcher.name.as_str()).filter(|label| {
                *label != NAME && other.matchers.iter().any(|matcher| matcher.name == *label)
            });
        let mut shared = shared.collect::<BTreeSet<_>>().into_iter();
        shared.find(|label| {
            let all = self.matchers.iter().chain(&other.matchers).filter(|it| it.name == *label);
            exclude_each_other(all).unwrap_or(false)
        })
    }
}

/// Whether no value satisfies all of the matchers; `None` where that cannot be found out.
fn exclude_each_other<'a>(matchers: impl Iterator<Item = &'a Matcher>) -> Option<bool> {
    // Label values are UTF-8; what matches nothing else is no value.
    let mut automata = vec![Automaton::new("(?s:.*)", true)?];
    for Matcher { op, value, .. } in matchers {
        automata.push(match op {
            MatchOp::Equal => Automaton::new(&regex::escape(value), true)?,
            MatchOp::NotEqual => Automaton::new(&regex::escape(value), false)?,
            MatchOp::Re(_) => Automaton::new(value, true)?,
            MatchOp::NotRe(_) => Automaton::new(value, false)?,
        });
    }
    let start: Vec<LazyStateID> = automata.iter_mut().map(Automaton::start).collect::<Option<_>>()?;
    let mut seen = BTreeSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(states) = open.pop() {
        if is_accepted(&mut automata, &states)? {
            return Some(false);
        }
        for byte in 0..=u8::MAX {
            let Some(next) = step(&mut automata, &states, byte)? else { continue };
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
        if seen.len() > STATES_MAX {
            return None;
        }
    }
    Some(true)
}

fn is_accepted(automata: &mut [Automaton], states: &[LazyStateID]) -> Option<bool> {
    for (automaton, state) in automata.iter_mut().zip(states) {
        if !automaton.is_satisfied(*state)? {
            return Some(false);
        }
    }
    Some(true)
}

/// Where a byte leads; `Some(None)`: to nothing that could be accepted.
fn step(automata: &mut [Automaton], states: &[LazyStateID], byte: u8) -> Option<Option<Vec<LazyStateID>>> {
    let mut next = Vec::with_capacity(states.len());
    for (automaton, state) in automata.iter_mut().zip(states) {
        let to = automaton.dfa.next_state(&mut automaton.cache, *state, byte).ok()?;
        if to.is_dead() && automaton.is_wanted {
            return Some(None);
        }
        next.push(to);
    }
    Some(Some(next))
}

/// One matcher.
struct Automaton {
    dfa: DFA,
    cache: Cache,
    /// Whether a value has to match, or must not.
    is_wanted: bool,
}

impl Automaton {
    fn new(pattern: &str, is_wanted: bool) -> Option<Self> {
        // A state's number would mean another state after the cache was cleared.
        let config = DFA::config().match_kind(MatchKind::All).minimum_cache_clear_count(Some(0));
        let dfa = DFA::builder().configure(config).build(&format!("^(?s:{pattern})$")).ok()?;
        let cache = dfa.create_cache();
        Some(Self { dfa, cache, is_wanted })
    }

    fn start(&mut self) -> Option<LazyStateID> {
        let config = start::Config::new().anchored(Anchored::Yes);
        self.dfa.start_state(&mut self.cache, &config).ok()
    }

    /// Whether the value that led here may end here.
    fn is_satisfied(&mut self, state: LazyStateID) -> Option<bool> {
        let end = self.dfa.next_eoi_state(&mut self.cache, state).ok()?;
        Some(end.is_match() == self.is_wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_exclude_each_other_where_no_value_of_a_label_satisfies_both() {
        for (one, other, label, why) in [
            (r#"a{code=~"5.."}"#, r#"a{code=~"2..|3.."}"#, Some("code"), "patterns without a common value"),
            (r#"a{code=~"5.."}"#, r#"b{code!~"5.."}"#, Some("code"), "what one wants the other leaves out"),
            (r#"a{code=~"5.."}"#, r#"a{code=""}"#, Some("code"), "a label, and none"),
            (r#"a{job="x"}"#, r#"b{job="y"}"#, Some("job"), "two names"),
            (r#"a{job="x"}"#, r#"b{job!="x"}"#, Some("job"), "a name and all others"),
            (r#"a{job="x"}"#, r#"b{job=~"y|z",zone="1"}"#, Some("job"), "a name and a list without it"),
            (r#"a{code=~"5.."}"#, r#"a{code=~".*03"}"#, None, "503 is both"),
            (r#"a{code=~"5.."}"#, r#"a{code!="499"}"#, None, "what is left out is another"),
            (r#"a{code=~"5.."}"#, r#"a{code=~".+"}"#, None, "any value"),
            (r#"a{code!~"2.."}"#, r#"a{code!~"3.."}"#, None, "two exclusions leave the rest"),
            (r#"a{code!~".+"}"#, r#"a{code!~".*"}"#, Some("code"), "nothing at all is left"),
            (r#"a{code=~"5.."}"#, "a", None, "the whole family"),
            (r#"a{code=~"5.."}"#, r#"a{method="GET"}"#, None, "different labels"),
            (r#"{__name__=~"a.*",job="x"}"#, r#"{__name__=~"b.*",job="x"}"#, None, "names are not compared"),
        ] {
            let (one, other) = (Selector::parse(one).unwrap(), Selector::parse(other).unwrap());
            assert_eq!(one.excludes(&other), label, "{why}");
            assert_eq!(other.excludes(&one), label, "{why}, the other way round");
        }
    }
}
