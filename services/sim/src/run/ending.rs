//! What is looked at when a run is over: what was found, what was told, and what a run without a crash decides.

use model::DecisionRecord;

use super::Simulation;
use crate::{
    Figures, Report,
    lines::{Line, in_full, outline},
    plan::Deed,
    reference::{Reference, answers_by_the_log, decided_without_a_crash, proposed_without_a_crash},
};

impl Simulation {
    pub(super) fn finish(mut self) -> Report {
        let end = self.plan.ends_at;
        self.check_bad_releases_were_found();
        self.promises.check_messages(&self.arrived, &self.failed, end);
        self.promises.check_ids(&self.arrived, &self.failed, end);
        self.promises.check_nothing_fires_for_what_is_over(end);
        self.promises.check_acked(end, &self.log, &self.acked);
        let counted: Vec<_> = self.promises.counted(&self.log).collect();
        let have = Reference::of(counted.iter().map(|(at, record)| (*at, *record)));
        let by_the_log = answers_by_the_log(&counted);
        let lines = counted.iter().flat_map(|(_, record)| in_full(record));
        let decisions: Vec<String> = lines.map(|line| line.text()).collect();
        let has_other_numbers = self.compare_proposals(&have);
        let want: Vec<Line> = by_the_log.iter().flat_map(in_full).collect();
        let answers: Vec<Line> = have.answers.iter().flat_map(in_full).collect();
        self.promises.check_equal("answers are a function of the log", &answers, &want);
        self.compare_with_a_run_without_a_crash(&have);
        let (automatic, blameless) = (self.promises.automatic.len(), self.promises.blameless.len());
        let events = self.log.partitions().map(|it| self.log.events_of(it).len() as u64).sum();
        let figures = Figures {
            events,
            decisions: decisions.len() as u64,
            releases: self.promises.releases() as u64,
            automatic_rollbacks: automatic as u64,
            blameless_rollbacks: blameless as u64,
            runs_with_other_numbers: u64::from(has_other_numbers),
            ..self.figures
        };
        Report { violations: self.promises.violations, story: self.story.lines, decisions, figures }
    }

    fn check_bad_releases_were_found(&mut self) {
        let (plan, late) = (self.plan.clone(), self.late.clone());
        let closed = plan.faults.closed.map(|(span, _)| span);
        self.promises.check_bad_releases_were_found(&plan, &self.world, |from, until| {
            let is_disturbed = plan.deeds.iter().any(|(at, deed)| {
                (from..until).contains(at) && !matches!(deed, Deed::Approve | Deed::Deploy { .. })
            });
            let is_late = late.range(from.saturating_sub(60)..until).next().is_some();
            let mut silences = plan.silences.iter().copied().chain(closed);
            let is_silent = silences.any(|it| it.from < until && from < it.until + 60);
            !(is_disturbed || is_late || is_silent)
        });
    }

    /// What each partition's events lead to, whoever judged them; whether a number in a reason differs.
    fn compare_proposals(&mut self, have: &Reference) -> bool {
        let mut has_other_numbers = false;
        for partition in self.log.partitions() {
            let want = proposed_without_a_crash(&self.log, partition);
            let own: Vec<&DecisionRecord> =
                have.proposals.iter().filter(|record| record.partition == partition).collect();
            let (own_lines, want_lines): (Vec<Line>, Vec<Line>) =
                (own.iter().flat_map(|it| outline(it)).collect(), want.iter().flat_map(outline).collect());
            self.promises.check_equal("a crash changes no proposal", &own_lines, &want_lines);
            let (own, want): (Vec<Line>, Vec<Line>) =
                (own.iter().flat_map(|it| in_full(it)).collect(), want.iter().flat_map(in_full).collect());
            has_other_numbers |= own != want;
        }
        has_other_numbers
    }

    /// One process that has everything, or processes that took over within the second: time was brought to the
    /// log where it is without a crash as well, and everything is the same.
    fn compare_with_a_run_without_a_crash(&mut self, have: &Reference) {
        let is_embedded = self.plan.layout.is_embedded;
        if !is_embedded && !self.late.is_empty() {
            return;
        }
        self.figures.embedded_runs += u64::from(is_embedded);
        self.figures.timely_runs += u64::from(!is_embedded);
        let reference = decided_without_a_crash(&have.proposals, &self.marks);
        let want: Vec<Line> = reference.iter().flat_map(in_full).collect();
        let answers: Vec<Line> = have.answers.iter().flat_map(in_full).collect();
        self.promises.check_equal("a crash changes no decision", &answers, &want);
    }
}
