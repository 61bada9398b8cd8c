//! Proposals as one line of text.

use model::{BaselineKind, Evidence, Proposal, ReleaseRef, ServiceKey, Test};

/// The line; `None` for what only passed through.
pub(super) fn told(proposal: &Proposal) -> Option<String> {
    let text = match proposal {
        Proposal::Release(release) => {
            let id = release.id.as_str().split_once('-').map(|(_, again)| format!(" (again, {again})"));
            let previous = release.previous_version.as_deref().unwrap_or("?");
            format!(
                "release {} {}{} from {previous}: {}, {}",
                release.key.service,
                release.version,
                id.unwrap_or_default(),
                release.state,
                release.state_reason
            )
        }
        Proposal::Limit(limit) => {
            let verb = if limit.is_exceeded { "exceeds" } else { "is within" };
            format!("{} {verb} {} ({:.4})", limit.key.service, limit.condition, limit.value)
        }
        Proposal::Breach(breach) => {
            let reason = &breach.reason;
            let mut text = format!(
                "BREACH {}: {} {}",
                who(&breach.key, breach.release.as_ref()),
                breach.action.as_str(),
                reason.condition
            );
            for evidence in &reason.evidence {
                text.push_str(&numbers(evidence));
            }
            for (name, value) in [("before", breach.blame.before), ("beside", breach.blame.beside)] {
                text.extend(value.map(|value| format!(", exceeded {name} ({value:.4})")));
            }
            if breach.blame.is_unversioned {
                text.push_str(", unversioned");
            }
            if breach.blame.names_others {
                text.push_str(", other versions");
            }
            text
        }
        Proposal::BreachEnded { key, release, trigger } => {
            format!("ended  {}: {trigger}", who(key, release.as_ref()))
        }
        Proposal::Finding(finding) => {
            let mark = if finding.is_active { "" } else { "no more " };
            format!(
                "finding {}: {mark}{:?}: {}",
                who(&finding.key, finding.release.as_ref()),
                finding.kind,
                finding.text
            )
        }
        Proposal::StagePassed { release, stage } => format!("stage passed {} {stage}", release.version),
        _ => return None,
    };
    Some(text)
}

fn who(key: &ServiceKey, release: Option<&ReleaseRef>) -> String {
    match release {
        Some(release) => format!("{} {}", key.service, release.version),
        None => format!("{} (no release)", key.service),
    }
}

fn numbers(evidence: &Evidence) -> String {
    let tail = match evidence.test {
        Test::None => String::new(),
        Test::Exact { level, tail_probability } => format!(", tail {tail_probability:.1e} at {level}"),
    };
    let baseline = evidence.baseline.as_ref().map(|baseline| {
        let kind = match &baseline.kind {
            BaselineKind::Before => "before",
            BaselineKind::Beside { version } => version,
        };
        format!(", baseline {:.4} of {} {kind}", baseline.value, baseline.requests)
    });
    format!(
        " [{} {:.4} vs {:.4}, {}/{}{tail}{}]",
        evidence.metric,
        evidence.value,
        evidence.limit,
        evidence.errors,
        evidence.requests,
        baseline.unwrap_or_default()
    )
}
