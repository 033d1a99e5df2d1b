//! LOC: a place on Earth (RFC 1876).
//!
//! `d1 [m1 [s1]] {N|S} d2 [m2 [s2]] {E|W} alt[m] [size[m] [hp[m] [vp[m]]]]`

use super::super::period::decimal;
use super::field::Field;
use super::rdata_error::RdataError;
use super::words::Words;

/// Length of the rdata, in bytes.
const LEN: usize = 16;

/// The equator and the prime meridian, in thousandths of a second of arc.
const ORIGIN: u32 = 1 << 31;

/// The base of altitudes below the reference spheroid, in centimetres.
const BASE: i64 = 100_000 * 100;

/// Size, horizontal and vertical precision if they are not written: 1 m, 10 km, 10 m.
const DEFAULTS: [u8; 3] = [0x12, 0x16, 0x13];

/// The whole rdata.
pub(super) const LOC: Field = Field::new(read, |wire| is_valid(wire).then_some(LEN));

fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let latitude = read_angle(words, "a latitude, as 51 30 12.748 N", 90, ["N", "S"])?;
    let longitude = read_angle(words, "a longitude, as 0 7 39.611 W", 180, ["E", "W"])?;
    let altitude = words.parse("an altitude in metres, from -100000.00 to 42849672.95", |word| {
        u32::try_from(hundredths(word)?.checked_add(BASE)?).ok()
    })?;
    let mut sizes = DEFAULTS;
    for size in &mut sizes {
        if !words.is_empty() {
            *size = words.parse("a size in metres, from 0 to 90000000.00", |word| precision(hundredths(word)?))?;
        }
    }
    out.push(0); // the version
    out.extend(sizes);
    for number in [latitude, longitude, altitude] {
        out.extend(number.to_be_bytes());
    }
    Ok(())
}

/// Reads degrees, minutes, seconds and a hemisphere. `hemispheres` are the positive and the
/// negative one.
fn read_angle(
    words: &mut Words<'_, '_>,
    what: &str,
    max_degrees: u32,
    hemispheres: [&str; 2],
) -> Result<u32, RdataError> {
    let hemisphere = |word: &str| hemispheres.iter().position(|name| word.eq_ignore_ascii_case(name));
    // Thousandths of a second in degrees, minutes and seconds.
    let units = [(3_600_000, max_degrees + 1), (60_000, 60), (1000, 60)];
    let mut angle = 0;
    let mut read = 0;
    loop {
        let side = words.parse(what, |word| match (hemisphere(word), units.get(read)) {
            (Some(side), _) if read > 0 => Some(Some(side)),
            (None, Some(&(unit, limit))) => {
                // Only the seconds have decimals.
                let value = if unit == 1000 { fixed(word, 3)? } else { decimal::<i64>(word)?.checked_mul(1000)? };
                let value = u32::try_from(value).ok().filter(|&value| value < limit * 1000)?;
                angle += value / 1000 * unit + if unit == 1000 { value % 1000 } else { 0 };
                Some(None)
            }
            _ => None,
        })?;
        read += 1;
        let Some(side) = side else { continue };
        if angle > max_degrees * units[0].0 {
            return Err(words.wrong(format!("{what}, has at most {max_degrees} degrees")));
        }
        return Ok(if side == 0 { ORIGIN + angle } else { ORIGIN - angle });
    }
}

/// Reads metres with an optional unit, in centimetres.
fn hundredths(word: &str) -> Option<i64> {
    fixed(word.strip_suffix(['m', 'M']).unwrap_or(word), 2)
}

/// Reads a number with at most this many decimals, as a multiple of the last one.
fn fixed(word: &str, decimals: usize) -> Option<i64> {
    let (sign, digits) = match word.as_bytes().first()? {
        b'-' => (-1, &word[1..]),
        b'+' => (1, &word[1..]),
        _ => (1, word),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty() && fraction.len() <= decimals;
    let all = is_number.then(|| format!("{whole}{fraction:0<decimals$}"))?;
    decimal::<i64>(&all)?.checked_mul(sign)
}

/// Centimetres as one digit and a power of ten (RFC 1876 §2). Further digits are cut off.
fn precision(centimetres: i64) -> Option<u8> {
    let (mut digit, mut power) = (u64::try_from(centimetres).ok()?, 0);
    while digit > 9 {
        digit /= 10;
        power += 1;
    }
    (power <= 9).then_some((digit as u8) << 4 | power)
}

/// Returns true if the bytes have version 0, digits below 10, and angles on Earth.
fn is_valid(wire: &[u8]) -> bool {
    let angle =
        |at: usize| wire.get(at..at + 4).map(|angle| u32::from_be_bytes([angle[0], angle[1], angle[2], angle[3]]));
    let is_on_earth = |at, degrees: u32| angle(at).is_some_and(|angle| angle.abs_diff(ORIGIN) <= degrees * 3_600_000);
    let are_digits = wire.iter().skip(1).take(3).all(|size| size >> 4 <= 9 && size & 15 <= 9);
    wire.len() == LEN && wire[0] == 0 && are_digits && is_on_earth(4, 90) && is_on_earth(8, 180)
}
