//! Files that hold secrets or certificates: read once, and only when strangers cannot.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::checks::Files;
use super::section::Placed;
use crate::tls;

/// Permissions of users who are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

/// Reads a secret as text.
pub(super) fn read(files: &Files<'_, '_>, file: &Placed<PathBuf>) -> Option<String> {
    check_mode(files, file)?;
    let text = std::fs::read_to_string(&file.value);
    text.map_err(|error| files.problem(file, &format!("cannot be read: {error}"), "paths are relative to this file"))
        .ok()
}

/// Reads a private key.
pub(super) fn private_key(files: &Files<'_, '_>, file: &Placed<PathBuf>) -> Option<PrivateKeyDer<'static>> {
    check_mode(files, file)?;
    let key = PrivateKeyDer::from_pem_file(&file.value);
    key.map_err(|error| files.problem(file, &format!("no private key can be read: {error}"), "accepted: a PEM file"))
        .ok()
}

/// Reads certificates, at least one.
pub(super) fn certificates(files: &Files<'_, '_>, file: &Placed<PathBuf>) -> Option<Vec<CertificateDer<'static>>> {
    let why = match tls::certificates(&file.value) {
        Ok(certificates) if !certificates.is_empty() => return Some(certificates),
        Ok(_) => "no certificate is in it".to_owned(),
        Err(error) => format!("no certificate can be read: {error}"),
    };
    files.problem(file, &why, "accepted: a PEM file");
    None
}

fn check_mode(files: &Files<'_, '_>, file: &Placed<PathBuf>) -> Option<()> {
    match std::fs::metadata(&file.value) {
        Err(error) => {
            files.problem(file, &format!("cannot be read: {error}"), "paths are relative to this file");
            None
        }
        Ok(metadata) if metadata.permissions().mode() & OTHERS != 0 => {
            let mode = metadata.permissions().mode() & 0o777;
            files.problem(file, &format!("this secret is open to all users (mode {mode:o})"), "chmod 600, or 640");
            None
        }
        Ok(_) => Some(()),
    }
}
