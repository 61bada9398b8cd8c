mod example;
mod faults;
mod handbook;
mod lints;
mod matching;
mod meaning;
mod sections;

use expect_test::Expect;
use model::PolicyLoad;

use crate::{Diagnostic, Level, Policy};

fn load(files: &[(&str, &str)]) -> PolicyLoad {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    PolicyLoad { files, origin: "test".to_owned() }
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Compiles a main file that must be accepted.
fn accepted(text: &str) -> Policy {
    let (policy, diagnostics) = super::compile(&load(&[("ripcord.yml", text)]));
    policy.unwrap_or_else(|| panic!("{}", shown(&diagnostics)))
}

/// Shows what is wrong with a main file; whether it is accepted goes by whether there is an error.
fn check(text: &str, expected: Expect) {
    let (policy, diagnostics) = super::compile(&load(&[("ripcord.yml", text)]));
    let has_error = diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
    assert_eq!(policy.is_none(), has_error, "{}", shown(&diagnostics));
    expected.assert_eq(&shown(&diagnostics));
}

/// One line a trigger.
fn triggers(policy: &crate::EffectivePolicy) -> String {
    let line = |trigger: &crate::Trigger| {
        format!(
            "{}: {} over {} for {}, {} requests, {:?} => {}",
            trigger.name,
            trigger.text,
            crate::yaml::format_duration(trigger.window),
            crate::yaml::format_duration(trigger.hold),
            trigger.min_requests,
            trigger.test,
            trigger.action.as_str(),
        )
    };
    policy.triggers.iter().map(line).collect::<Vec<_>>().join("\n")
}
