//! The problems of a zone file: all errors, and a limited number of warnings of each kind.
//!
//! A file with 40,000 delegations can have 40,000 warnings of one kind. Ten of them show what is
//! wrong; one more says how many there are.

use crate::diagnostic::{Diagnostic, Diagnostics};

/// The most warnings of one kind that are shown.
const MAX_SHOWN: usize = 10;

/// What a warning is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    OutsideZone,
    MissingTtl,
    LargeTtl,
    DifferentTtls,
    WithoutServers,
    AliasedServer,
    ServerWithoutAddress,
    Hidden,
    Signed,
}

impl Kind {
    /// The objects of the warnings, for the line that counts them.
    fn plural(self) -> &'static str {
        match self {
            Self::OutsideZone => "records outside the zone",
            Self::MissingTtl => "records without a TTL",
            Self::LargeTtl => "TTLs that count as 0",
            Self::DifferentTtls => "RRsets with different TTLs",
            Self::WithoutServers => "zones without NS records at the apex",
            Self::AliasedServer => "name servers that are aliases",
            Self::ServerWithoutAddress => "name servers without an address in this file",
            Self::Hidden => "records that are never answered",
            Self::Signed => "DNSSEC records that are left out",
        }
    }

    /// The most warnings of this kind that are shown, and if the others are counted.
    fn limit(self) -> (usize, bool) {
        match self {
            Self::Signed => (1, false),
            _ => (MAX_SHOWN, true),
        }
    }
}

/// The warnings of one kind.
struct Warnings {
    kind: Kind,
    /// All warnings, with those that are not shown.
    count: usize,
    /// The first that is not shown: the place of the line that counts.
    first_hidden: Option<Diagnostic>,
}

/// The problems that were found so far.
#[derive(Default)]
pub(super) struct Problems {
    shown: Diagnostics,
    warnings: Vec<Warnings>,
}

impl Problems {
    /// Adds an error.
    pub(super) fn error(&mut self, error: Diagnostic) {
        self.shown.push(error);
    }

    /// Adds a warning. It is made only if it is shown.
    pub(super) fn warn(&mut self, kind: Kind, warning: impl FnOnce() -> Diagnostic) {
        let known = self.warnings.iter().position(|warnings| warnings.kind == kind);
        let index = known.unwrap_or_else(|| {
            self.warnings.push(Warnings { kind, count: 0, first_hidden: None });
            self.warnings.len() - 1
        });
        let (limit, are_counted) = kind.limit();
        let warnings = &mut self.warnings[index];
        warnings.count += 1;
        if warnings.count <= limit {
            self.shown.push(warning());
        } else if warnings.count == limit + 1 && are_counted {
            warnings.first_hidden = Some(warning());
        }
    }

    /// Returns true if there is an error.
    pub(super) fn has_errors(&self) -> bool {
        self.shown.has_errors()
    }

    /// All errors, and the warnings that are shown.
    pub(super) fn finish(mut self) -> Diagnostics {
        for Warnings { kind, count, first_hidden } in self.warnings {
            if let Some(place) = first_hidden {
                let message = format!("{} more warnings about {}", count - kind.limit().0, kind.plural());
                self.shown.push(place.with_message(message).with_hint("this is the first of them"));
            }
        }
        self.shown
    }
}
