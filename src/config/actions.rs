//! `[actions.NAME]`: what runs on a node before its role changes.

use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

use evenkeel_core::diagnostic::defined;

use super::kind_section::KindTables;
use super::report::Report;
use super::section::Section;
use super::{http_request, program};
use crate::role_action::{RoleAction, RoleActionKind};

/// Longest `timeout`. The command waits for the action, and at most `admin::timeouts::CONNECTION`.
const MAX_TIMEOUT: Duration = Duration::from_secs(20);

/// What all actions have in common.
const TABLES: KindTables<RoleActionKind> = KindTables {
    key: "actions",
    title: "[actions.NAME]",
    object: "action",
    kinds: &[
        ("http", |section| RoleActionKind::Request(Box::new(http_request::read(section)))),
        ("exec", |section| RoleActionKind::Program(program::read(section))),
    ],
    max_timeout: MAX_TIMEOUT,
    default_timeout: Duration::from_secs(10),
};

/// An action and its place in the file.
pub(super) struct DefinedAction {
    name: String,
    /// `None` if its kind is missing or unknown.
    action: Option<RoleAction>,
    span: Range<usize>,
    is_used: Cell<bool>,
}

/// Reads all actions.
pub(super) fn read(root: &Section<'_>) -> Vec<DefinedAction> {
    let mut actions = Vec::new();
    for table in TABLES.read(root) {
        let timeout = table.timeout;
        let action = table.read_kind().map(|kind| RoleAction { kind, timeout });
        let span = table.section.span.clone();
        actions.push(DefinedAction { name: table.name.to_owned(), action, span, is_used: Cell::new(false) });
        table.finish();
    }
    actions
}

/// The action that a key of a pool names.
pub(super) fn named_by(section: &Section<'_>, key: &'static str, actions: &[DefinedAction]) -> Option<RoleAction> {
    let name = section.string(key)?;
    if let Some(found) = actions.iter().find(|action| action.name == name.value) {
        found.is_used.set(true);
        return found.action.clone();
    }
    let hint = defined("action", name.value, actions.iter().map(|action| action.name.as_str()));
    section.report.error(name.span, format!("`{key}` names action \"{}\", which is not defined", name.value), hint);
    None
}

/// Warns of actions that no pool uses: a name is probably misspelled.
pub(super) fn warn_unused(report: &Report<'_>, actions: &[DefinedAction]) {
    for action in actions.iter().filter(|action| !action.is_used.get()) {
        let message = format!("action \"{}\" is used by no pool", action.name);
        report.warn(action.span.clone(), message, "name it in the `nominate_action` or `unregister_action` of a pool");
    }
}
