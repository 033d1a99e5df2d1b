//! Numbers and times in zone files. Times are seconds, or numbers with units.

/// Reads a number of decimal digits only, without a sign.
pub(super) fn decimal<T: std::str::FromStr>(word: &str) -> Option<T> {
    Some(word).filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// Reads seconds, or numbers with the units s, m, h, d and w, as in `1h30m`.
pub(super) fn parse_period(word: &str) -> Option<u32> {
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().ok();
    }
    let mut total = 0_u32;
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value: u32 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes().get(digits)?.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(value.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (!word.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_of_seconds_or_has_units() {
        assert_eq!(parse_period("300"), Some(300));
        assert_eq!(parse_period("1h30m"), Some(5400));
        assert_eq!(parse_period("2W"), Some(1_209_600));
        for word in ["", "h", "1x", "1h30", "99999999w", "-1"] {
            assert_eq!(parse_period(word), None, "{word}");
        }
    }
}
