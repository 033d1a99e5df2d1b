//! Laws of diagnostics: each one names a place inside the file.

use evenkeel_core::diagnostic::Diagnostic;

/// Checks that a diagnostic begins with a place, and that the place is inside its file.
///
/// `text_of` returns the text of the file with this path.
pub fn check_place(diagnostic: &Diagnostic, text_of: impl Fn(&str) -> Option<Vec<u8>>) {
    let shown = diagnostic.to_string();
    let (path, line, column) = place(&shown).unwrap_or_else(|| panic!("no place: {shown}"));
    let text = text_of(path).unwrap_or_else(|| panic!("no such file: {shown}"));
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    let found = line.checked_sub(1).and_then(|line| lines.get(line));
    let found = found.unwrap_or_else(|| panic!("the file has {} lines: {shown}", lines.len()));
    assert!((1..=found.len() + 1).contains(&column), "the line has {} bytes: {shown}", found.len());
}

/// Path, line and column of `PATH:LINE:COLUMN: error: …`.
fn place(shown: &str) -> Option<(&str, usize, usize)> {
    let end = [": error: ", ": warning: "].iter().filter_map(|severity| shown.find(severity)).min()?;
    let (rest, column) = shown[..end].rsplit_once(':')?;
    let (path, line) = rest.rsplit_once(':')?;
    Some((path, line.parse().ok()?, column.parse().ok()?))
}
