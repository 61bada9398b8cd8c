//! Placeholders of an argument list.

use model::Command;

/// An argument list that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgvError {
    #[error("the argument list is empty")]
    Empty,
    #[error("the program must be named literally, without placeholders")]
    ProgramFromPlaceholder,
    #[error("{{{{{0}}}}} is not a placeholder; there are {names}", names = NAMES.join(", "))]
    UnknownPlaceholder(String),
    #[error("an argument opens a placeholder with {{{{ and does not close it")]
    Unclosed,
    /// A value that a program would take for one of its options, e.g. a service named `--kubeconfig=…`.
    #[error("the value of {{{{{0}}}}} begins with a dash and would be read as an option")]
    ReadsAsOption(&'static str),
    #[error("the value of {{{{{0}}}}} holds a NUL byte")]
    Nul(&'static str),
}

/// The placeholders: `{{service}}` and so on.
pub const NAMES: [&str; 7] =
    ["service", "environment", "cluster", "version", "to_version", "release", "command"];

/// One piece of an argument.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    Placeholder(&'static str),
}

/// Checks an argument list as the policy has it, before any command exists.
pub fn check(argv: &[String]) -> Result<(), ArgvError> {
    let (program, arguments) = argv.split_first().ok_or(ArgvError::Empty)?;
    if program.is_empty() {
        return Err(ArgvError::Empty);
    }
    if program.contains("{{") {
        return Err(ArgvError::ProgramFromPlaceholder);
    }
    arguments.iter().try_for_each(|argument| pieces(argument).map(drop))
}

/// The argument list for `command`; each placeholder stays inside its argument, whatever its value holds.
pub(super) fn expand(argv: &[String], command: &Command) -> Result<Vec<String>, ArgvError> {
    check(argv)?;
    argv.iter().map(|argument| fill(argument, command)).collect()
}

fn fill(argument: &str, command: &Command) -> Result<String, ArgvError> {
    let mut filled = String::new();
    for piece in pieces(argument)? {
        match piece {
            Piece::Literal(text) => filled.push_str(text),
            Piece::Placeholder(name) => {
                let value = value(name, command);
                if value.contains('\0') {
                    return Err(ArgvError::Nul(name));
                }
                if filled.is_empty() && value.starts_with('-') {
                    return Err(ArgvError::ReadsAsOption(name));
                }
                filled.push_str(value);
            }
        }
    }
    Ok(filled)
}

fn pieces(argument: &str) -> Result<Vec<Piece<'_>>, ArgvError> {
    let mut pieces = Vec::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or(ArgvError::Unclosed)?;
        let known = NAMES.into_iter().find(|known| *known == name.trim());
        pieces.push(Piece::Literal(before));
        pieces.push(Piece::Placeholder(
            known.ok_or_else(|| ArgvError::UnknownPlaceholder(name.trim().to_owned()))?,
        ));
        rest = after;
    }
    pieces.push(Piece::Literal(rest));
    Ok(pieces)
}

fn value<'a>(name: &str, command: &'a Command) -> &'a str {
    let release = &command.release;
    match name {
        "service" => &release.key.service,
        "environment" => &release.key.environment,
        "cluster" => release.cluster.as_deref().unwrap_or_default(),
        "version" => &release.version,
        "to_version" => command.to_version.as_deref().unwrap_or_default(),
        "release" => release.id.as_str(),
        _ => command.id.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn argv(arguments: &[&str]) -> Vec<String> {
        arguments.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn placeholders_are_filled_in_and_never_split_or_interpreted() {
        let mut command = fixture::command();
        command.release.key.service = "a b; rm -rf / $(reboot) {{version}}".into();
        let expanded =
            expand(&argv(&["kubectl", "undo", "svc={{service}}", "{{ to_version }}-{{command}}"]), &command);
        let expected = ["kubectl", "undo", "svc=a b; rm -rf / $(reboot) {{version}}", "2.4.0-cmd_1"];
        assert_eq!(expanded, Ok(argv(&expected)));
    }

    #[test]
    fn lists_that_cannot_be_run_are_refused_with_the_reason() {
        let mut command = fixture::command();
        command.release.key.service = "--kubeconfig=/tmp/mine".into();
        command.release.version = "a\0b".into();
        for (arguments, error) in [
            (&[][..], ArgvError::Empty),
            (&[""], ArgvError::Empty),
            (&["{{service}}"], ArgvError::ProgramFromPlaceholder),
            (&["undo", "{{servce}}"], ArgvError::UnknownPlaceholder("servce".into())),
            (&["undo", "{{service"], ArgvError::Unclosed),
            (&["undo", "{{service}}"], ArgvError::ReadsAsOption("service")),
            (&["undo", "--v={{version}}"], ArgvError::Nul("version")),
        ] {
            assert_eq!(expand(&argv(arguments), &command), Err(error));
        }
        assert!(
            expand(&argv(&["undo", "--service={{service}}"]), &command).is_ok(),
            "inside an option it is a value"
        );
    }

    #[test]
    fn an_unknown_placeholder_is_told_with_those_there_are() {
        let message = ArgvError::UnknownPlaceholder("servce".into()).to_string();
        assert_eq!(
            message,
            "{{servce}} is not a placeholder; there are service, environment, cluster, version, to_version, release, command"
        );
    }
}
