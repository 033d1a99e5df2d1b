//! `[actions.NAME]`: what is done to a node before its role changes.

use std::ops::Range;
use std::time::Duration;

use super::Origin;
use super::checks::{self, Files};
use super::requests;
use super::section::{Reading, Section, check_word, one_of};
use crate::role_action::{RoleAction, RoleActionKind};
use evenkeel_core::diagnostic::defined;

/// Whoever asks for a nomination waits for the action, and not for longer than a command waits for its answer.
const LONGEST: Duration = Duration::from_secs(20);

/// An action and where it is defined.
pub(super) struct PlacedAction {
    name: String,
    action: Option<RoleAction>,
    span: Range<usize>,
    is_used: std::cell::Cell<bool>,
}

/// The words of `kind`.
#[derive(Clone, Copy)]
enum KindWord {
    Http,
    Exec,
}

pub(super) fn read(root: &Section<'_>, origin: &Origin) -> Vec<PlacedAction> {
    let mut actions = Vec::new();
    for (name, section) in root.named("actions", "[actions.NAME]") {
        check_word(section.reading, "action", &name);
        let kind = section.read("kind", one_of(&[("http", KindWord::Http), ("exec", KindWord::Exec)]));
        let kind = section.required("kind", kind, "accepted: \"http\", \"exec\"");
        let timeout = section.duration("timeout", Duration::from_millis(50)..=LONGEST);
        let timeout = timeout.map_or(LONGEST / 2, |timeout| timeout.value);
        let files = Files { section: &section, origin };
        let kind = kind.map(|kind| match kind.value {
            KindWord::Http => RoleActionKind::Request(Box::new(requests::request(&files))),
            KindWord::Exec => RoleActionKind::Program(checks::program(&section)),
        });
        let action = kind.map(|kind| RoleAction { kind, timeout });
        let span = section.span.clone();
        // Without a kind nobody knows which other keys are meant.
        if action.is_some() {
            section.finish();
        }
        actions.push(PlacedAction { name: name.value.to_owned(), action, span, is_used: false.into() });
    }
    actions
}

/// The action that a key of a pool names.
pub(super) fn used(section: &Section<'_>, key: &'static str, actions: &[PlacedAction]) -> Option<RoleAction> {
    let name = section.string(key)?;
    if let Some(found) = actions.iter().find(|action| action.name == name.value) {
        found.is_used.set(true);
        return found.action.clone();
    }
    let hint = defined("action", name.value, actions.iter().map(|action| action.name.as_str()));
    section.reading.error(name.span, format!("`{key}` names action \"{}\", which is not defined", name.value), hint);
    None
}

/// Actions that no pool uses are probably misspelled somewhere.
pub(super) fn warn_unused(reading: &Reading<'_>, actions: &[PlacedAction]) {
    for action in actions.iter().filter(|action| !action.is_used.get()) {
        let message = format!("action \"{}\" is used by no pool", action.name);
        reading.warn(action.span.clone(), message, "name it in the `nominate_action` or `unregister_action` of a pool");
    }
}
