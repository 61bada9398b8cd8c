//! How the story looks on the terminal: chapters, and one line a happening with its time in front.

use std::io::IsTerminal as _;

use telemetry::clock::Stopwatch;

use crate::cli::output::line;

/// What a line tells of; its name stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Values,
    Breach,
    Ripcord,
    Webhook,
    Slack,
    Mail,
}

impl Topic {
    /// Name, and colour as ANSI number.
    fn look(self) -> (&'static str, &'static str) {
        match self {
            Self::Values => ("values", "2"),
            Self::Breach => ("BREACH", "1;31"),
            Self::Ripcord => ("ripcord", "1"),
            Self::Webhook => ("webhook", "35"),
            Self::Slack => ("slack", "36"),
            Self::Mail => ("mail", "34"),
        }
    }
}

/// Prints with the time since the story began.
#[derive(Debug)]
pub(super) struct Terminal {
    clock: Stopwatch,
    has_colours: bool,
}

impl Terminal {
    /// Colours where a person looks who did not ask for none (<https://no-color.org>).
    pub(super) fn start() -> Self {
        let has_colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { clock: Stopwatch::start(), has_colours }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }

    pub(super) fn chapter(&self, title: &str) {
        line("");
        line(&self.paint(&format!("== {title}"), "1"));
    }

    pub(super) fn say(&self, topic: Topic, text: &str) {
        let (name, colour) = topic.look();
        let stamp = format!("{:5.1} s", self.seconds());
        line(&format!("{stamp}  {}  {text}", self.paint(&format!("{name:<7}"), colour)));
    }

    /// More of what was said last.
    pub(super) fn detail(&self, text: &str) {
        line(&format!("         {}", self.paint(&format!("       | {text}"), "2")));
    }

    /// A line of the summary.
    pub(super) fn finding(&self, holds: bool, text: &str) {
        let (mark, colour) = if holds { ("ok  ", "32") } else { ("FAIL", "1;31") };
        line(&format!("{}  {text}", self.paint(mark, colour)));
    }

    fn paint(&self, text: &str, colour: &str) -> String {
        if self.has_colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
