//! The parameters of SVCB and HTTPS (RFC 9460 §2.1): `key`, `key=value`, `key="value"`.

use std::collections::BTreeMap;

use super::field::{Field, unescaped};
use super::rdata_error::RdataError;
use super::svcb_key::{ALPN, INVALID_KEY, MANDATORY, NO_DEFAULT_ALPN, key_name, key_number, names};
use super::svcb_value::{Value, value_of};
use super::words::Words;

/// Parameters by their keys, in the ascending order of the wire format.
type Parameters = BTreeMap<u16, Vec<u8>>;

/// All remaining words as parameters.
pub(super) const PARAMETERS: Field = Field::new(read, |wire| is_valid(wire).then_some(wire.len()));

fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut parameters = Parameters::new();
    while !words.is_empty() {
        let (key, value) = read_parameter(words)?;
        if parameters.insert(key, value).is_some() {
            return Err(words.wrong(format!("the parameter {} appears twice", key_name(key))));
        }
    }
    check_together(&parameters).map_err(|message| words.wrong(message))?;
    for (key, value) in parameters {
        let len = u16::try_from(value.len()).map_err(|_| words.wrong("a value has at most 65,535 bytes"))?;
        out.extend([key.to_be_bytes(), len.to_be_bytes()].as_flattened());
        out.extend(value);
    }
    Ok(())
}

/// Reads one parameter: a word, and the quoted value that follows it without a space.
fn read_parameter(words: &mut Words<'_, '_>) -> Result<(u16, Vec<u8>), RdataError> {
    const WHAT: &str = "a parameter, as key or key=value";
    let token = words.take(WHAT)?;
    if token.quoted || token.adjoins {
        return Err(words.wrong("a space is missing between two parameters, or a key before a quote"));
    }
    let equals = token.text.iter().position(|&byte| byte == b'=');
    let name = std::str::from_utf8(&token.text[..equals.unwrap_or(token.text.len())]).unwrap_or_default();
    let key = key_number(name)
        .ok_or_else(|| words.wrong(format!("unknown parameter; known are {}, and keyNNNNN", names())))?;
    let is_numbered = name.starts_with("key");
    let mut text = None;
    if let Some(equals) = equals {
        let bare = super::super::entries::Token { text: &token.text[equals + 1..], ..*token };
        let quoted = words.peek().filter(|next| next.quoted && next.adjoins && bare.text.is_empty());
        text = Some(unescaped(quoted.unwrap_or(&bare)).map_err(|message| words.wrong(message))?);
        if quoted.is_some() {
            words.take(WHAT)?;
        }
    }
    // `keyNNNNN` takes the bytes of the wire format (RFC 9460 §2.1).
    let value = if is_numbered { Value::Opaque } else { value_of(key) };
    let wire = value.read(text).and_then(|wire| match value_of(key).is_valid(&wire) {
        true => Ok(wire),
        false => Err(value_of(key).description()),
    });
    wire.map(|wire| (key, wire)).map_err(|expected| words.wrong(format!("{} needs {expected}", key_name(key))))
}

/// Checks what parameters say about each other (RFC 9460 §7.1.1 and §8).
fn check_together(parameters: &Parameters) -> Result<(), String> {
    if parameters.contains_key(&NO_DEFAULT_ALPN) && !parameters.contains_key(&ALPN) {
        return Err("no-default-alpn needs alpn beside it".to_owned());
    }
    let mandatory = parameters.get(&MANDATORY).map_or(&[][..], Vec::as_slice);
    let mut keys = mandatory.chunks_exact(2).map(|key| u16::from_be_bytes([key[0], key[1]]));
    match keys.find(|key| !parameters.contains_key(key)) {
        Some(absent) => Err(format!("mandatory names {}, which is not there", key_name(absent))),
        None => Ok(()),
    }
}

/// Returns true if the bytes are valid parameters in ascending order of their keys.
fn is_valid(mut wire: &[u8]) -> bool {
    let mut parameters = Parameters::new();
    while !wire.is_empty() {
        let Some((header, rest)) = wire.split_at_checked(4) else { return false };
        let key = u16::from_be_bytes([header[0], header[1]]);
        let Some((value, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes([header[2], header[3]]))) else {
            return false;
        };
        let is_next = parameters.last_key_value().is_none_or(|(&last, _)| last < key);
        if !is_next || key == INVALID_KEY || !value_of(key).is_valid(value) {
            return false;
        }
        parameters.insert(key, value.to_vec());
        wire = rest;
    }
    check_together(&parameters).is_ok()
}
