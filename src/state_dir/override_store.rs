//! Stores overrides and nominations in `overrides.json`.
//!
//! The admin service calls [`OverrideStore::change`], which writes before a change takes effect. If
//! the file cannot be written, nothing changes. The daemon opens the store when it starts
//! (`daemon/start.rs`), and gives the overrides that have not expired to the publisher.

use std::io;
use std::path::{Path, PathBuf};

use evenkeel_core::overrides::Overrides;

use super::json_file::{self, Found};

/// Name of the file in `state_dir`.
const FILE: &str = "overrides.json";

/// The overrides, and their file.
#[derive(Debug)]
pub(crate) struct OverrideStore {
    /// Without a directory, overrides end with the process.
    directory: Option<PathBuf>,
    overrides: Overrides,
}

/// A store, and whether its file was lost.
#[derive(Debug)]
pub(crate) struct OpenedStore {
    /// The store.
    pub(crate) store: OverrideStore,
    /// Set if the file could not be parsed: where it was put, and why.
    pub(crate) set_aside: Option<String>,
}

impl OverrideStore {
    /// Opens the store of a directory. Creates the directory if it is missing.
    ///
    /// # Errors
    /// The directory or the file cannot be used. A file that cannot be parsed is set aside instead.
    pub(crate) fn open(directory: Option<&Path>) -> io::Result<OpenedStore> {
        let mut store = Self { directory: directory.map(Path::to_owned), overrides: Overrides::default() };
        let mut set_aside = None;
        if let Some(directory) = directory {
            match json_file::read(directory, FILE)? {
                Found::Written(overrides) => store.overrides = overrides,
                Found::Nothing => {}
                Found::SetAside(what) => set_aside = Some(what),
            }
        }
        Ok(OpenedStore { store, set_aside })
    }

    /// The overrides of all nodes.
    pub(crate) fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Returns true if overrides survive the process.
    pub(crate) fn is_persistent(&self) -> bool {
        self.directory.is_some()
    }

    /// Changes the overrides. When this returns, the change is on disk.
    ///
    /// # Errors
    /// The file cannot be written; nothing has changed.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Overrides)) -> io::Result<()> {
        let mut overrides = self.overrides.clone();
        change(&mut overrides);
        if let Some(directory) = &self.directory {
            json_file::write(directory, FILE, &overrides)?;
        }
        self.overrides = overrides;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use evenkeel_core::actor::Actor;
    use evenkeel_core::node_id::NodeId;
    use evenkeel_core::overrides::{Expired, Override};
    use evenkeel_core::pool::ForcedState;

    use super::*;

    fn drain(why: &str) -> Override {
        Override {
            state: ForcedState::Drain,
            by: Actor::Operator("ops".to_owned()),
            why: why.into(),
            at: 5,
            until: Some(9),
        }
    }

    #[test]
    fn overrides_are_there_when_the_store_is_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let mut store = OverrideStore::open(Some(&path)).unwrap().store;
        let both = |overrides: &mut Overrides| {
            overrides.set(NodeId::new("core", "a"), drain("x"));
            overrides.set(NodeId::new("core", "b"), drain("y"));
        };
        store.change(both).unwrap();
        store.change(|overrides| overrides.remove(&NodeId::new("core", "b"))).unwrap();
        let again = OverrideStore::open(Some(&path)).unwrap();
        assert_eq!(again.set_aside, None);
        assert_eq!(again.store.overrides(), store.overrides());
        assert_eq!(again.store.overrides().get(&NodeId::new("core", "a")), Some(&drain("x")));
        let mut overrides = again.store.overrides().clone();
        assert_eq!(overrides.expire(8), Expired::default());
        assert_eq!(overrides.expire(9).overrides, [NodeId::new("core", "a")]);
        assert_eq!(overrides, Overrides::default());
    }

    #[test]
    fn a_file_with_the_old_names_is_read_and_written_with_the_new_ones() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let forced = r#"{"core/a": {"word": "drain", "by": "ops", "why": "x", "at": 5, "until": 9}}"#;
        let old = format!(r#"[1, {{"words": {forced}, "nominations": {{}}, "changed": {{"core": [7, "ops"]}}}}]"#);
        fs::write(&path, old).unwrap();
        let opened = OverrideStore::open(Some(directory.path())).unwrap();
        assert_eq!(opened.set_aside, None);
        let mut store = opened.store;
        assert_eq!(store.overrides().get(&NodeId::new("core", "a")), Some(&drain("x")));
        let ops = Actor::Operator("ops".to_owned());
        assert_eq!(store.overrides().last_role_change("core"), Some((7, &ops)));
        store.change(|_| {}).unwrap();
        let (_, written): (u32, serde_json::Value) = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(written["overrides"]["core/a"]["state"], "drain");
        assert_eq!(written["role_changes"]["core"][0], 7);
    }

    #[test]
    fn a_torn_or_foreign_file_is_set_aside_and_not_lost() {
        for text in
            ["", "{", "[1, {\"a/b\":{}}]", "[1, {}]", "[2, {\"overrides\":{},\"nominations\":{}}]", "[1]", "\u{0}\u{0}"]
        {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(FILE), text).unwrap();
            let opened = OverrideStore::open(Some(directory.path())).unwrap();
            assert!(opened.set_aside.is_some(), "{text}");
            let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert_eq!(names.len(), 1);
            assert_eq!(fs::read_to_string(&names[0]).unwrap(), text);
        }
    }

    #[test]
    fn a_file_of_another_version_is_named_as_such_whatever_its_layout() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), "[2, [\"another layout\"]]").unwrap();
        let why = OverrideStore::open(Some(directory.path())).unwrap().set_aside.unwrap();
        assert!(why.contains("it is of version 2, not 1"), "{why}");
    }

    #[test]
    fn a_change_that_cannot_be_written_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let mut store = OverrideStore::open(Some(&path)).unwrap().store;
        fs::remove_dir(&path).unwrap();
        assert!(store.change(|overrides| overrides.set(NodeId::new("core", "a"), drain("x"))).is_err());
        assert_eq!(store.overrides(), &Overrides::default());
    }
}
