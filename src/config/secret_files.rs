//! Files with secrets, keys or certificates.
//!
//! A file with a secret or a key is refused if users other than its owner and its group have access
//! to it. Every reader reports what is wrong, and returns `None` then.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::section::Section;
use super::value::Placed;
use crate::tls;

/// Permissions of users who are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

/// Reads a secret as text.
pub(super) fn read(section: &Section<'_>, file: &Placed<PathBuf>) -> Option<String> {
    check_mode(section, file)?;
    let text = std::fs::read_to_string(&file.value);
    let unreadable = |error| unreadable(section, file, &error);
    text.map_err(unreadable).ok()
}

/// Reads a private key.
pub(super) fn private_key(section: &Section<'_>, file: &Placed<PathBuf>) -> Option<PrivateKeyDer<'static>> {
    check_mode(section, file)?;
    let key = PrivateKeyDer::from_pem_file(&file.value);
    let unreadable = |error| {
        section.report.file_error(file, &format!("no private key can be read: {error}"), "accepted: a PEM file");
    };
    key.map_err(unreadable).ok()
}

/// Reads certificates, at least one.
pub(super) fn certificates(section: &Section<'_>, file: &Placed<PathBuf>) -> Option<Vec<CertificateDer<'static>>> {
    let why = match tls::certificates(&file.value) {
        Ok(certificates) if !certificates.is_empty() => return Some(certificates),
        Ok(_) => "it contains no certificate".to_owned(),
        Err(error) => format!("no certificate can be read: {error}"),
    };
    section.report.file_error(file, &why, "accepted: a PEM file");
    None
}

/// Refuses a file that all users have access to.
fn check_mode(section: &Section<'_>, file: &Placed<PathBuf>) -> Option<()> {
    let mode = match std::fs::metadata(&file.value) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) => {
            unreadable(section, file, &error);
            return None;
        }
    };
    if mode & OTHERS == 0 {
        return Some(());
    }
    let message = format!("this secret is open to all users (mode {mode:o})");
    section.report.file_error(file, &message, "chmod 600, or 640");
    None
}

/// Reports a file that cannot be read.
fn unreadable(section: &Section<'_>, file: &Placed<PathBuf>, error: &std::io::Error) {
    section.report.file_error(file, &format!("cannot be read: {error}"), "paths are relative to this file");
}
