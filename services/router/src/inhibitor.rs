//! Inhibition: what is not told because something graver fires.
//!
//! A scan over all sources of a rule, not an index by equal labels: Alertmanager's index kept one source for
//! each value and lost the others, and a scan over what fires at one time is cheap.

use std::collections::{BTreeMap, BTreeSet};

use model::{Labels, Notice, NoticeStatus, Timestamp};

use crate::{InhibitRule, Matcher, limits::MAX_INHIBITION_SOURCES};

#[derive(Clone, Debug)]
struct Source {
    labels: Labels,
    ends_at: Option<Timestamp>,
}

impl Source {
    fn fires_at(&self, at: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| end > at)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Inhibitor {
    rules: Vec<InhibitRule>,
    /// Everything that fires, routed or not, so that rules loaded later know it too.
    firing: BTreeMap<u64, Source>,
    /// For each rule, which of `firing` match its source side.
    sources: Vec<BTreeSet<u64>>,
    /// Sources not tracked because of the limit.
    pub(crate) refused: u64,
}

impl Inhibitor {
    pub(crate) fn set_rules(&mut self, rules: Vec<InhibitRule>) {
        self.sources = rules.iter().map(|rule| self.matching(&rule.source)).collect();
        self.rules = rules;
    }

    fn matching(&self, matchers: &[Matcher]) -> BTreeSet<u64> {
        let matching = self.firing.iter().filter(|(_, source)| matches(matchers, &source.labels));
        matching.map(|(&fingerprint, _)| fingerprint).collect()
    }

    pub(crate) fn observe(&mut self, fingerprint: u64, notice: &Notice, now: Timestamp) {
        if notice.status == NoticeStatus::Resolved {
            self.remove(fingerprint);
            return;
        }
        let is_known = self.firing.contains_key(&fingerprint);
        if !is_known && self.firing.len() >= MAX_INHIBITION_SOURCES {
            self.drop_ended(now);
        }
        if !is_known && self.firing.len() >= MAX_INHIBITION_SOURCES {
            self.refused += 1;
            return;
        }
        for (rule, sources) in self.rules.iter().zip(&mut self.sources) {
            if matches(&rule.source, &notice.labels) {
                sources.insert(fingerprint);
            }
        }
        self.firing.insert(fingerprint, Source { labels: notice.labels.clone(), ends_at: notice.ends_at });
    }

    fn remove(&mut self, fingerprint: u64) {
        self.firing.remove(&fingerprint);
        for sources in &mut self.sources {
            sources.remove(&fingerprint);
        }
    }

    fn drop_ended(&mut self, now: Timestamp) {
        let ended = self.firing.iter().filter(|(_, source)| !source.fires_at(now));
        for fingerprint in ended.map(|(&fingerprint, _)| fingerprint).collect::<Vec<u64>>() {
            self.remove(fingerprint);
        }
    }

    /// Whether a rule mutes a firing notice with these labels.
    pub(crate) fn is_inhibited(&self, labels: &Labels, at: Timestamp) -> bool {
        self.rules.iter().zip(&self.sources).any(|(rule, sources)| {
            if !matches(&rule.target, labels) {
                return false;
            }
            // What is target and source at once is not muted by another that is both: two could mute each
            // other.
            let is_two_sided = matches(&rule.source, labels);
            sources.iter().filter_map(|fingerprint| self.firing.get(fingerprint)).any(|source| {
                source.fires_at(at)
                    && is_equal(&rule.equal, &source.labels, labels)
                    && !(is_two_sided && matches(&rule.target, &source.labels))
            })
        })
    }

    /// When the next source ends by itself.
    pub(crate) fn next_end(&self, after: Timestamp) -> Option<Timestamp> {
        self.firing.values().filter_map(|source| source.ends_at).filter(|&end| end > after).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.firing.len()
    }
}

fn matches(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

fn is_equal(names: &[String], a: &Labels, b: &Labels) -> bool {
    names.iter().all(|name| a.get(name).unwrap_or("") == b.get(name).unwrap_or(""))
}

#[cfg(test)]
mod tests;
