//! `$GENERATE`: a record per number of a range, as BIND has it.
//!
//! `$GENERATE start-stop[/step] owner [TTL] [class] type data`. In each word, `$` is the number,
//! `${offset[,width[,base]]}` the number plus an offset, and `\$` a dollar sign.

use super::entries::Token;
use super::period::decimal;

/// The numbers of a `$GENERATE`.
pub(super) struct Range {
    start: u32,
    stop: u32,
    step: u32,
}

impl Range {
    /// Reads `start-stop` or `start-stop/step`.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let (range, step) = word.split_once('/').map_or((word, Some(1)), |(range, step)| (range, decimal(step)));
        let (start, stop) = range.split_once('-')?;
        let (start, stop, step) = (decimal(start)?, decimal(stop)?, step?);
        (start <= stop && stop <= i32::MAX as u32 && step > 0).then_some(Self { start, stop, step })
    }

    /// Number of numbers.
    pub(super) fn count(&self) -> usize {
        ((self.stop - self.start) / self.step) as usize + 1
    }

    /// All numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = i64> + use<> {
        (self.start..=self.stop).step_by(self.step as usize).map(i64::from)
    }
}

/// How a number is written.
#[derive(Clone, Copy)]
enum Base {
    Decimal,
    Octal,
    Hex {
        upper: bool,
    },
    /// Hexadecimal digits in reverse order with dots between them, as in ip6.arpa.
    Nibbles {
        upper: bool,
    },
}

/// The text of a word for one number. The message of the error is for users.
pub(super) fn substitute(token: &Token<'_>, number: i64) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::with_capacity(token.text.len() + 8);
    let mut rest = token.text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail.first()) {
            (b'\\', Some(b'$')) => {
                out.push(b'$');
                rest = &tail[1..];
            }
            // Another escape is not touched, so that its character stays escaped.
            (b'\\', Some(&escaped)) => {
                out.extend([b'\\', escaped]);
                rest = &tail[1..];
            }
            (b'$', Some(b'$')) => {
                out.push(b'$');
                rest = &tail[1..];
            }
            (b'$', Some(b'{')) => {
                let end = tail.iter().position(|&byte| byte == b'}').ok_or("a brace is not closed")?;
                write_modified(&tail[1..end], number, &mut out)?;
                rest = &tail[end + 1..];
            }
            (b'$', _) => out.extend(number.to_string().bytes()),
            _ => out.push(byte),
        }
    }
    Ok(out)
}

/// Writes a number by the modifiers between the braces.
fn write_modified(modifiers: &[u8], number: i64, out: &mut Vec<u8>) -> Result<(), &'static str> {
    const EXPECTED: &str =
        "modifiers are ${offset}, ${offset,width} or ${offset,width,base}, with base d, o, x, X, n or N";
    /// Longest number: more would not fit into a name or a character string.
    const MAX_WIDTH: usize = 255;
    let text = std::str::from_utf8(modifiers).map_err(|_| EXPECTED)?;
    let mut parts = text.split(',').map(str::trim);
    let offset: i32 = parts.next().and_then(|offset| offset.parse().ok()).ok_or(EXPECTED)?;
    let width = parts.next().map_or(Some(0), decimal).filter(|&width| width <= MAX_WIDTH).ok_or(EXPECTED)?;
    let base = match parts.next() {
        None | Some("d") => Base::Decimal,
        Some("o") => Base::Octal,
        Some(hex @ ("x" | "X")) => Base::Hex { upper: hex == "X" },
        Some(nibbles @ ("n" | "N")) => Base::Nibbles { upper: nibbles == "N" },
        Some(_) => return Err(EXPECTED),
    };
    if parts.next().is_some() {
        return Err(EXPECTED);
    }
    let value = u64::try_from(number + i64::from(offset)).map_err(|_| "the number plus the offset is below 0")?;
    let text = match base {
        Base::Decimal => format!("{value:0width$}"),
        Base::Octal => format!("{value:0width$o}"),
        Base::Hex { upper: false } => format!("{value:0width$x}"),
        Base::Hex { upper: true } => format!("{value:0width$X}"),
        Base::Nibbles { upper } => nibbles(value, width, upper),
    };
    out.extend(text.bytes());
    Ok(())
}

/// The hexadecimal digits, the last one first, with dots between them. `width` counts the dots.
fn nibbles(mut value: u64, width: usize, upper: bool) -> String {
    let mut out = String::new();
    loop {
        let digit = char::from_digit((value & 15) as u32, 16).unwrap_or('0');
        out.push(if upper { digit.to_ascii_uppercase() } else { digit });
        value >>= 4;
        if value == 0 && out.len() >= width {
            return out;
        }
        out.push('.');
        if value == 0 && out.len() >= width {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(word: &str, number: i64) -> String {
        let token = Token { text: word.as_bytes(), quoted: false, adjoins: false, offset: 0 };
        String::from_utf8(substitute(&token, number).unwrap()).unwrap()
    }

    #[test]
    fn a_range_has_a_start_a_stop_and_a_step() {
        let numbers = |word| Range::parse(word).map(|range| range.numbers().collect::<Vec<_>>());
        assert_eq!(numbers("1-3"), Some(vec![1, 2, 3]));
        assert_eq!(numbers("0-10/5"), Some(vec![0, 5, 10]));
        assert_eq!(Range::parse("0-2147483647/2").unwrap().count(), 1 << 30);
        for wrong in ["1", "3-1", "1-3/0", "a-b", "0-2147483648", "-1-3", ""] {
            assert!(Range::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_number_has_an_offset_a_width_and_a_base() {
        for (word, expected) in [
            ("host-$", "host-171"),
            ("$.$", "171.171"),
            (r"\$$", "$171"),
            ("$$", "$"),
            (r"a\.$", r"a\.171"),
            ("${-1}", "170"),
            ("${0,5}", "00171"),
            ("${0,0,x}", "ab"),
            ("${5,4,X}", "00B0"),
            ("${0,4,o}", "0253"),
            ("${0,3,n}.x", "b.a.x"),
            ("${0,8,N}x", "B.A.0.0.x"),
        ] {
            assert_eq!(text(word, 171), expected, "{word}");
        }
    }
}
