//! `[actions.NAME]`: what runs on a node before its role changes.

use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

use evenkeel_core::diagnostic::defined;

use super::kind_section::KindTables;
use super::report::Report;
use super::section::Section;
use super::value::{Placed, as_str};
use super::{http_request, program};
use crate::role_action::{RoleAction, SequenceStep, SingleAction, SingleActionKind};

/// Longest `timeout`. The command waits for the action, and at most `admin::timeouts::CONNECTION`.
const MAX_TIMEOUT: Duration = Duration::from_secs(20);

/// What all actions have in common.
const TABLES: KindTables<ActionKeys> = KindTables {
    key: "actions",
    title: "[actions.NAME]",
    object: "action",
    kinds: &[
        ("http", |section| ActionKeys::Single(SingleActionKind::Request(Box::new(http_request::read(section))))),
        ("exec", |section| ActionKeys::Single(SingleActionKind::Program(program::read(section)))),
        ("sequence", |section| ActionKeys::Sequence(steps(section))),
    ],
    max_timeout: MAX_TIMEOUT,
    default_timeout: Duration::from_secs(10),
};

/// The keys of an action. The names in them can be those of later actions.
enum ActionKeys {
    Single(SingleActionKind),
    /// The names of the steps.
    Sequence(Vec<Placed<String>>),
}

/// An action and its place in the file.
pub(super) struct DefinedAction {
    name: String,
    /// `None` if its kind is missing or unknown, or a step of it is wrong.
    action: Option<RoleAction>,
    span: Range<usize>,
    is_used: Cell<bool>,
}

/// Reads all actions.
pub(super) fn read(root: &Section<'_>) -> Vec<DefinedAction> {
    let (mut actions, mut sequences) = (Vec::new(), Vec::new());
    for table in TABLES.read(root) {
        let timeout = table.timeout;
        let action = match table.read_kind() {
            Some(ActionKeys::Single(kind)) => Some(RoleAction::Single(SingleAction { kind, timeout })),
            Some(ActionKeys::Sequence(names)) => {
                sequences.push((actions.len(), timeout, names));
                None
            }
            None => None,
        };
        let span = table.section.span.clone();
        actions.push(DefinedAction { name: table.name.to_owned(), action, span, is_used: Cell::new(false) });
        table.finish();
    }
    let positions: Vec<usize> = sequences.iter().map(|(position, ..)| *position).collect();
    for (position, timeout, names) in sequences {
        // Every step is looked up, so that every mistake is reported.
        let steps: Vec<_> = names.into_iter().map(|name| step(root.report, name, &actions, &positions)).collect();
        let steps: Option<Vec<_>> = steps.into_iter().collect();
        actions[position].action = steps.map(|steps| RoleAction::Sequence { steps, timeout });
    }
    actions
}

/// `steps` of a sequence: the names of other actions.
fn steps(section: &Section<'_>) -> Vec<Placed<String>> {
    let accepted = "a list of names of actions";
    let Some(list) = section.required("steps", section.list("steps", accepted, as_str), accepted) else {
        return Vec::new();
    };
    if list.value.is_empty() {
        section.report.error(list.span, "`steps` is empty: the action would do nothing", "name at least one action");
    }
    list.value.into_iter().map(|name| name.map(str::to_owned)).collect()
}

/// A step of a sequence. `sequences` are the positions of all sequences in `actions`.
fn step(
    report: &Report<'_>,
    name: Placed<String>,
    actions: &[DefinedAction],
    sequences: &[usize],
) -> Option<SequenceStep> {
    let Placed { value: name, span } = name;
    let position = find(report, "steps", &name, span.clone(), actions)?;
    match &actions[position].action {
        Some(RoleAction::Single(action)) => Some(SequenceStep { name, action: action.clone() }),
        // The step has been reported, unless it is a sequence.
        _ if !sequences.contains(&position) => None,
        _ => {
            let message = format!("`steps` names action \"{name}\", which is a sequence itself");
            report.error(span, message, "name the steps of that sequence");
            None
        }
    }
}

/// The position of the action that a key names; the action is then used.
fn find(report: &Report<'_>, key: &str, name: &str, span: Range<usize>, actions: &[DefinedAction]) -> Option<usize> {
    let Some(position) = actions.iter().position(|action| action.name == name) else {
        let hint = defined("action", name, actions.iter().map(|action| action.name.as_str()));
        report.error(span, format!("`{key}` names action \"{name}\", which is not defined"), hint);
        return None;
    };
    actions[position].is_used.set(true);
    Some(position)
}

/// The action that a key of a pool names.
pub(super) fn named_by(section: &Section<'_>, key: &'static str, actions: &[DefinedAction]) -> Option<RoleAction> {
    let name = section.string(key)?;
    let position = find(section.report, key, name.value, name.span, actions)?;
    actions[position].action.clone()
}

/// Warns of actions that no pool uses: a name is probably misspelled.
pub(super) fn warn_unused(report: &Report<'_>, actions: &[DefinedAction]) {
    for action in actions.iter().filter(|action| !action.is_used.get()) {
        let message = format!("action \"{}\" is used by no pool", action.name);
        report.warn(
            action.span.clone(),
            message,
            "name it in the `nominate_action` or `demote_action` of a pool, or in `steps`",
        );
    }
}
