//! How long a condition must hold: pending and firing, as Prometheus' alerting rules.

use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::truth::Truth;

/// Looks further apart than this do not join into one stretch: nobody knows what was between them. Two
/// intervals of the slowest usual scrape.
pub(crate) const LOOK_GAP_MAX: Duration = Duration::from_secs(120);

/// Where a trigger stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    #[default]
    Inactive,
    /// True at every look since then.
    Pending { since: Timestamp, last: Timestamp },
    /// Told; stays so until the bare number is known to be within the limit.
    Firing,
}

/// What a look changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Unchanged,
    Fires,
    Ends,
}

impl Phase {
    /// One look at `at`: the condition with its guard starts and keeps a stretch, and only the bare number,
    /// known to be false, ends what fires. Between the two lies the hysteresis.
    pub(crate) fn look(&mut self, at: Timestamp, guarded: Truth, bare: Truth, hold: Duration) -> Step {
        match *self {
            Self::Firing if bare.is_false() => {
                *self = Self::Inactive;
                Step::Ends
            }
            Self::Firing => Step::Unchanged,
            Self::Inactive | Self::Pending { .. } if !guarded.is_true() => {
                *self = Self::Inactive;
                Step::Unchanged
            }
            Self::Pending { since, last } if at.since(last) <= LOOK_GAP_MAX => {
                self.stretch(since, at.max(last), hold)
            }
            Self::Inactive | Self::Pending { .. } => self.stretch(at, at, hold),
        }
    }

    fn stretch(&mut self, since: Timestamp, last: Timestamp, hold: Duration) -> Step {
        if last.since(since) >= hold {
            *self = Self::Firing;
            return Step::Fires;
        }
        *self = Self::Pending { since, last };
        Step::Unchanged
    }

    /// As [`Self::look`], but nothing begins or ends to fire: for looks that were decided upon before.
    pub(crate) fn look_again(&mut self, at: Timestamp, guarded: Truth) {
        if *self != Self::Firing {
            self.look(at, guarded, Truth::True, Duration::MAX);
        }
    }

    pub(crate) fn is_firing(&self) -> bool {
        *self == Self::Firing
    }

    /// When a pending one will have held for `hold`.
    pub(crate) fn due(&self, hold: Duration) -> Option<Timestamp> {
        match self {
            Self::Pending { since, .. } => Some(*since + hold),
            Self::Inactive | Self::Firing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::truth::Unknown;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    /// Looks as `T` true, `g` bare true but not proven, `F` false, `?` unknown, one every 15 seconds; what each
    /// did as `.`, `!` fires, `-` ends.
    fn run(looks: &str, hold_seconds: u64) -> String {
        let mut phase = Phase::default();
        looks
            .chars()
            .enumerate()
            .map(|(at, look)| {
                let (guarded, bare) = match look {
                    'T' => (Truth::True, Truth::True),
                    'g' => (Truth::False, Truth::True),
                    'F' => (Truth::False, Truth::False),
                    _ => (Truth::Unknown(Unknown::NoData), Truth::Unknown(Unknown::NoData)),
                };
                match phase.look(second(15 * at as i64), guarded, bare, Duration::from_secs(hold_seconds)) {
                    Step::Unchanged => '.',
                    Step::Fires => '!',
                    Step::Ends => '-',
                }
            })
            .collect()
    }

    #[test]
    fn triggers_hold_fire_once_and_end_by_the_bare_number() {
        for (looks, hold, want, story) in [
            ("T", 0, "!", "without hold the first look fires"),
            ("TTTTT", 60, "....!", "a minute is four scrapes after the first"),
            ("TTTFTTTTT", 60, "........!", "a look that holds breaks the stretch"),
            ("TTT?TTTTT", 60, "........!", "so does a look that knows nothing"),
            ("TTTgTTTTT", 60, "........!", "and one that proves nothing"),
            ("TTTTTT", 0, "!.....", "once, not at every look"),
            ("T?gT", 0, "!...", "silence and doubt do not end it"),
            ("TFT", 0, "!-!", "it ends within the limit and may fire again"),
        ] {
            assert_eq!(run(looks, hold), want, "{story}");
        }
    }

    #[test]
    fn a_gap_in_the_looks_breaks_the_stretch() {
        let mut phase = Phase::default();
        let hold = Duration::from_secs(300);
        for (at, want) in
            [(0, Step::Unchanged), (121, Step::Unchanged), (240, Step::Unchanged), (301, Step::Unchanged)]
        {
            assert_eq!(phase.look(second(at), Truth::True, Truth::True, hold), want, "{at}");
        }
        for at in (315..421).step_by(15) {
            assert_eq!(phase.look(second(at), Truth::True, Truth::True, hold), Step::Unchanged, "{at}");
        }
        assert_eq!(phase.look(second(421), Truth::True, Truth::True, hold), Step::Fires);
    }

    /// The rule as one would say it: it fires at a look if it does not fire already and there is an earlier (or
    /// the same) look at least `hold` before with nothing but true looks and no long gap between.
    fn naive(looks: &[(i64, Truth, Truth)], hold: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut fires_since = None;
        let mut from = 0;
        for (now, (at, guarded, bare)) in looks.iter().enumerate() {
            let step = if fires_since.is_some() {
                if bare.is_false() { Step::Ends } else { Step::Unchanged }
            } else {
                let stretch_begins = (from..=now).rev().take_while(|&back| {
                    looks[back].1.is_true()
                        && (back == now
                            || second(looks[back + 1].0).since(second(looks[back].0)) <= LOOK_GAP_MAX)
                });
                let earliest = stretch_begins.last();
                let long_enough =
                    earliest.is_some_and(|first| second(*at).since(second(looks[first].0)) >= hold);
                if guarded.is_true() && long_enough { Step::Fires } else { Step::Unchanged }
            };
            match step {
                Step::Fires => fires_since = Some(now),
                Step::Ends => (fires_since, from) = (None, now + 1),
                Step::Unchanged => {}
            }
            steps.push(step);
        }
        steps
    }

    fn truths() -> impl Strategy<Value = (Truth, Truth)> {
        prop_oneof![
            6 => Just((Truth::True, Truth::True)),
            1 => Just((Truth::False, Truth::True)),
            1 => Just((Truth::False, Truth::False)),
            1 => Just((Truth::Unknown(Unknown::NoData), Truth::Unknown(Unknown::NoData))),
            1 => Just((Truth::Unknown(Unknown::TooFewRequests), Truth::True)),
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_the_naive_reference_does(
            looks in prop::collection::vec((0_i64..150, truths()), 1..60),
            hold in prop_oneof![Just(0_u64), 1_u64..400],
        ) {
            let mut at = 0;
            let looks: Vec<_> = looks
                .into_iter()
                .map(|(gap, (guarded, bare))| {
                    at += gap;
                    (at, guarded, bare)
                })
                .collect();
            let hold = Duration::from_secs(hold);
            let mut phase = Phase::default();
            let steps: Vec<_> =
                looks.iter().map(|(at, guarded, bare)| phase.look(second(*at), *guarded, *bare, hold)).collect();
            prop_assert_eq!(steps, naive(&looks, hold));
        }
    }
}
