//! Counters against what happened: a process whose requests are known restarts, is relabelled, gets a second sender,
//! and has errors that begin at some time. No more than a handful may be counted that did not happen; where senders
//! say when their counters began, everything has to be.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Rig, Versions::All};

/// So few are taken for born where nothing says what they are: a trend is not made of them.
const HANDFUL: u64 = 10;

const CODES: [&str; 3] = ["200", "404", "500"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Nothing,
    Restart,
    /// All series get another label; the old ones end as said.
    Relabel {
        is_marked: bool,
    },
    /// The scrape is not sent.
    Away,
}

/// One interval: requests by code, and what happens before them.
type Step = ([u8; 3], Event);

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => Just(Event::Nothing),
        2 => Just(Event::Restart),
        1 => any::<bool>().prop_map(|is_marked| Event::Relabel { is_marked }),
        1 => Just(Event::Away),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Some codes are rare: they are born late, and stay small.
    let requests = (0_u8..200, 0_u8..4, prop_oneof![4 => Just(0_u8), 1 => 0_u8..30]);
    prop::collection::vec((requests.prop_map(|it| [it.0, it.1, it.2]), event()), 2..18).prop_map(apart)
}

/// Restarts and relabellings leave each other two scrapes: within fewer, nothing tells a series that was renamed from
/// one that was born, and small ones are counted twice.
fn apart(mut steps: Vec<Step>) -> Vec<Step> {
    let is_change = |event: Event| matches!(event, Event::Restart | Event::Relabel { .. });
    let mut quiet = usize::MAX;
    for (_, event) in &mut steps {
        if is_change(*event) && quiet < 2 {
            *event = Event::Nothing;
        }
        quiet = if is_change(*event) { 0 } else { quiet.saturating_add(1) };
    }
    steps
}

/// A process, and what it shows.
#[derive(Default)]
struct Process {
    counters: BTreeMap<&'static str, u64>,
    label: usize,
    began_s: i64,
}

impl Process {
    /// The lines of a scrape; series that a relabelling ended with it.
    fn lines(&self, now: i64, ended: Option<usize>, says_start: bool) -> String {
        let start = if says_start { format!("<{}", self.began_s) } else { String::new() };
        let line =
            |label: usize, code: &str, value: &str| format!("requests{{code={code},l={label}}} {value}\n");
        let mut lines = String::new();
        for (code, count) in &self.counters {
            lines += &line(self.label, code, &format!("{count}@{now}{start}"));
            if let Some(label) = ended {
                lines += &line(label, code, &format!("stale@{now}"));
            }
        }
        lines
    }
}

/// What was counted and what happened after the first scrape: errors, requests.
fn run(steps: &[Step], age: u64, says_start: bool) -> ((u64, u64), (u64, u64)) {
    let (mut rig, mut process) = (Rig::new(), Process { began_s: -100_000, ..Process::default() });
    process.counters = BTreeMap::from([("200", age * 100), ("404", age)]);
    let mut happened = (0, 0);
    for (place, (requests, event)) in steps.iter().enumerate() {
        let now = 15 * (1 + place as i64);
        let mut ended = None;
        match event {
            Event::Restart => {
                process.counters.clear();
                process.began_s = now - 14;
            }
            Event::Relabel { is_marked } if !says_start => {
                ended = is_marked.then_some(process.label);
                process.label += 1;
            }
            _ => {}
        }
        for (code, &count) in CODES.into_iter().zip(requests).filter(|it| *it.1 > 0) {
            *process.counters.entry(code).or_default() += u64::from(count);
            if place > 0 {
                happened.0 += if code == "500" { u64::from(count) } else { 0 };
                happened.1 += u64::from(count);
            }
        }
        let is_last = place + 1 == steps.len();
        if *event == Event::Away && place > 0 && !is_last {
            continue;
        }
        let lines = process.lines(now, ended, says_start);
        if says_start {
            rig.send_whole(now, &lines);
        } else {
            rig.send(now, &lines);
            rig.tick(now + 14);
        }
    }
    let shown = rig.ratio(All, 15 * steps.len() as i64);
    let counted = shown.split_once('/').map_or((0, 0), |(part, total)| {
        (part.parse().unwrap_or_default(), total.parse().unwrap_or_default())
    });
    (counted, happened)
}

/// What the property below found: shown as it was, with the seeds' cases made small.
#[test]
fn histories_that_were_once_counted_twice_are_counted_once() {
    use Event::{Nothing, Relabel, Restart};
    let (marked, unmarked) = (Relabel { is_marked: true }, Relabel { is_marked: false });
    for (steps, age, why) in [
        (
            &[
                ([0, 0, 6], Nothing),
                ([63, 3, 0], Nothing),
                ([40, 2, 0], Restart),
                ([0, 0, 0], marked),
                ([0, 0, 0], Nothing),
            ][..],
            0,
            "a series that ended with the restart before is none that the relabelled ones go on from",
        ),
        (
            &[
                ([0, 0, 0], Nothing),
                ([46, 2, 0], Nothing),
                ([32, 0, 0], Restart),
                ([0, 1, 0], unmarked),
                ([0, 0, 0], Nothing),
            ],
            0,
            "one of the relabelled series is new in the same scrape",
        ),
    ] {
        let (counted, happened) = run(steps, age, false);
        assert!(counted.0 <= happened.0 && counted.1 <= happened.1, "{why}: {counted:?} of {happened:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn nothing_is_counted_that_did_not_happen(steps in steps(), age in 0_u64..2000) {
        let (counted, happened) = run(&steps, age, false);
        let is_true = counted.0 <= happened.0 + HANDFUL && counted.1 <= happened.1 + HANDFUL;
        prop_assert!(is_true, "{counted:?} of {happened:?}");
    }

    #[test]
    fn without_restarts_and_relabellings_everything_is_counted(
        steps in steps(),
        age in 0_u64..2000,
    ) {
        let calm: Vec<Step> = steps.iter().map(|(requests, _)| ([requests[0], requests[1], 0], Event::Nothing)).collect();
        let (counted, happened) = run(&calm, age.max(1), false);
        prop_assert_eq!(counted, happened);
    }

    #[test]
    fn senders_that_say_when_their_counters_began_lose_nothing(steps in steps(), age in 1_u64..2000) {
        // A start is told once: what restarts unseen between two scrapes is gone.
        let seen: Vec<Step> = steps
            .iter()
            .map(|(requests, event)| (*requests, if *event == Event::Away { Event::Nothing } else { *event }))
            .enumerate()
            .map(|(place, (requests, event))| (requests, if place == 0 { Event::Nothing } else { event }))
            .collect();
        let mut seen = seen;
        // Errors that an old process begins with are judged by their size; here only restarts are in question.
        seen.iter_mut().for_each(|(requests, _)| { requests[0] = requests[0].max(1); requests[1] = requests[1].max(1); requests[2] = 0; });
        let (counted, happened) = run(&seen, age, true);
        prop_assert_eq!(counted, happened);
    }
}
