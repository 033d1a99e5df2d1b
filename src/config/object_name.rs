//! The names that operators choose for pools, nodes, monitors, actions and notifications.

use super::report::Report;
use super::value::Placed;

/// Reports a name that messages cannot show as one word, or that cannot be part of `pool/node`.
pub(super) fn check(report: &Report<'_>, what: &str, name: &Placed<&str>) {
    let is_visible = name.value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    // Names are segments of URL paths in the API, where `.` and `..` have another meaning.
    let is_path = matches!(name.value, "" | "." | "..");
    if is_path || !is_visible {
        let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let message = format!("\"{}\" cannot be the name of {article} {what}", name.value.escape_debug());
        report.error(name.span.clone(), message, "accepted: visible ASCII characters without spaces or slashes");
    }
}
