//! `[server.cookies]`: DNS cookies (RFC 7873).

use std::path::PathBuf;

use evenkeel_core::clients::CookieSecrets;

use super::secret_files;
use super::section::Section;
use super::value::Placed;

/// Most secrets in a file: the one that makes cookies, and others that are accepted.
const MAX_SECRETS: usize = 8;

/// Which cookies the server gives to clients.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Cookies {
    /// None: cookies of clients are ignored.
    Off,
    /// Made with secrets that the server makes and rolls itself.
    #[default]
    OwnSecrets,
    /// Made with secrets of a file, which several servers can share.
    SharedSecrets(CookieSecrets),
}

/// Reads the section. A file that cannot be used is reported.
pub(super) fn read(section: Section<'_>) -> Cookies {
    let is_enabled = section.boolean("enabled").unwrap_or(true);
    let file = section.path("secret_file");
    let secrets = file.as_ref().and_then(|file| secrets(&section, file));
    section.finish();
    match secrets {
        _ if !is_enabled => Cookies::Off,
        Some(secrets) => Cookies::SharedSecrets(secrets),
        None => Cookies::OwnSecrets,
    }
}

/// Reads a file of secrets: one per line, in 32 hexadecimal digits. The first makes cookies.
fn secrets(section: &Section<'_>, file: &Placed<PathBuf>) -> Option<CookieSecrets> {
    let text = secret_files::read(section, file)?;
    let hint = "accepted: lines of 32 hexadecimal digits; the first makes cookies, the others are accepted, too";
    let refuse = |why: &str| section.report.file_error(file, why, hint);
    let mut secrets = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The line is not shown: it may be a secret with a typing error.
        let Some(secret) = secret(line) else {
            refuse(&format!("line {number} is not a secret"));
            return None;
        };
        secrets.push(secret);
    }
    if !(1..=MAX_SECRETS).contains(&secrets.len()) {
        refuse(&format!("it contains {} secrets, not 1 to {MAX_SECRETS}", secrets.len()));
        return None;
    }
    Some(CookieSecrets { current: secrets.remove(0), accepted: secrets })
}

/// Reads 16 bytes in hexadecimal digits.
fn secret(line: &str) -> Option<[u8; 16]> {
    let is_complete = line.len() == 32 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_complete.then(|| u128::from_str_radix(line, 16).ok().map(u128::to_be_bytes))?
}
