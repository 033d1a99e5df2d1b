//! The times of signatures: `YYYYMMDDHHmmSS` in UTC, or seconds since 1970 (RFC 4034 §3.2).

use super::super::period::decimal;
use super::field::Field;

/// A time, modulo 2^32 seconds.
pub(super) const TIMESTAMP: Field = Field::new(
    |words, out| {
        let time = words.parse("a time, as 20261231235959 or in seconds since 1970", parse)?;
        out.extend(time.to_be_bytes());
        Ok(())
    },
    |_| Some(4),
);

/// Days before each month of a year without February 29.
const DAYS_BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Days of each month of a leap year.
const DAYS: [i64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Reads a time. RFC 4034 §3.2: 14 digits are a date, at most 10 digits are seconds.
fn parse(word: &str) -> Option<u32> {
    if word.len() != 14 {
        return decimal(word).filter(|_| word.len() <= 10);
    }
    let part = |from: usize, to: usize| decimal::<i64>(word.get(from..to)?);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let index = usize::try_from(month - 1).ok()?;
    let last = *DAYS.get(index)? - i64::from(month == 2 && !is_leap);
    // A leap second is second 60.
    if year < 1970 || !(1..=last).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Leap days before this year, counted from year 0.
    let leap_days = |year: i64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let days = (year - 1970) * 365 + leap_days(year) - leap_days(1970)
        + DAYS_BEFORE[index]
        + i64::from(is_leap && month > 2)
        + day
        - 1;
    // Serial number arithmetic: only the lower 32 bits count.
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_seconds() {
        assert_eq!(parse("19700101000000"), Some(0));
        assert_eq!(parse("20000229120000"), Some(951_825_600));
        assert_eq!(parse("20301231235959"), Some(1_924_991_999));
        // After 2106, the number begins again.
        assert_eq!(parse("21060207062816"), Some(0));
        assert_eq!(parse("1924991999"), Some(1_924_991_999));
        for wrong in ["20010229000000", "20301301000000", "20300001000000", "20300100000000", "123456789012", "x"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
