//! Durations in the configuration: strings of numbers with units, as in `"1m30s"`.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::value::{Unaccepted, mistyped};

/// A duration with units, within a range.
pub(super) fn within(range: RangeInclusive<Duration>) -> impl Fn(&DeValue<'_>) -> Result<Duration, Unaccepted> {
    let (from, to) = (in_units(*range.start()), in_units(*range.end()));
    let accepted = format!("a duration such as \"2s\", \"500ms\" or \"1m30s\", from {from} to {to}");
    move |value| {
        let text = value.as_str().ok_or_else(|| mistyped(value, &accepted))?;
        parse(text).filter(|duration| range.contains(duration)).ok_or_else(|| Unaccepted {
            message: format!("is not a duration in range: \"{text}\""),
            hint: format!("accepted: {accepted}"),
        })
    }
}

/// Parses numbers with the units ms, s, m, h and d, as in `1m30s`.
fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value: u32 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86_400),
            _ => return None,
        };
        total = total.checked_add(unit.checked_mul(value)?)?;
        rest = &rest[letters..];
    }
    (!text.is_empty()).then_some(total)
}

/// Writes a duration as in a configuration, in its largest whole unit.
pub(super) fn in_units(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        _ if duration.subsec_millis() > 0 => format!("{}ms", duration.as_millis()),
        0 => "0s".to_owned(),
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let ms = |text| parse(text).map(|d| d.as_millis());
        assert_eq!(ms("2s"), Some(2000));
        assert_eq!(ms("1m30s"), Some(90_000));
        assert_eq!(ms("500ms"), Some(500));
        assert_eq!(ms("0s"), Some(0));
        for text in ["0s", "50ms", "1500ms", "90s", "2m", "3h", "1d"] {
            assert_eq!(in_units(parse(text).unwrap()), text);
        }
        for text in ["", "2", "s", "2 s", "-1s", "1.5s", "2S", "4294967296s", "1s2"] {
            assert_eq!(ms(text), None, "{text}");
        }
    }
}
