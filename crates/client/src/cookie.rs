//! The cookie by which an HTTP balancer finds the node of a session again.

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// What the answer that begins a session says to send with all that follows in it: `SRV=core-1`, several pairs when there
/// are several cookies. Nothing when it sets none that is there to stay (RFC 6265, section 5.2: an age of nothing takes a
/// cookie away, and of two with one name the last counts).
pub(super) fn of_answer(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut pairs: Vec<(&[u8], &[u8])> = Vec::new();
    for value in headers.get_all(SET_COOKIE) {
        let mut parts = value.as_bytes().split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let Some((name, pair)) = parts.next().and_then(named) else { continue };
        pairs.retain(|(other, _)| *other != name);
        if !parts.any(takes_away) && pair.len() > name.len() + 1 {
            pairs.push((name, pair));
        }
    }
    let pairs: Vec<&[u8]> = pairs.into_iter().map(|(_, pair)| pair).collect();
    let mut cookie = (!pairs.is_empty()).then(|| HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()).flatten()?;
    // Who has it is taken for the session: no log shows it.
    cookie.set_sensitive(true);
    Some(cookie)
}

/// A pair with its name, which must not be empty.
fn named(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = pair.iter().position(|&byte| byte == b'=').filter(|&end| end > 0)?;
    Some((&pair[..end], pair))
}

/// Whether an attribute is an age of nothing.
fn takes_away(attribute: &[u8]) -> bool {
    let age = str::from_utf8(attribute).ok().and_then(|text| text.split_once('='));
    age.is_some_and(|(name, age)| {
        name.eq_ignore_ascii_case("max-age") && age.trim().parse::<i64>().is_ok_and(|age| age <= 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(answer: &[&str]) -> Option<String> {
        let header = |value: &&str| (SET_COOKIE, HeaderValue::from_str(value).unwrap());
        let cookie = of_answer(&answer.iter().map(header).collect())?;
        assert!(cookie.is_sensitive());
        Some(cookie.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_is_set_to_stay_is_sent_back() {
        assert_eq!(cookie(&["SRV=core-1; path=/; HttpOnly"]), Some("SRV=core-1".to_owned()));
        assert_eq!(cookie(&["SRV=core-1", "route=a=b; Max-Age=60"]), Some("SRV=core-1; route=a=b".to_owned()));
        assert_eq!(cookie(&["SRV=core-1", "SRV=core-2"]), Some("SRV=core-2".to_owned()));
        assert_eq!(cookie(&["SRV=core-1", "SRV=; Max-Age=0"]), None);
        assert_eq!(cookie(&["SRV=core-1; max-age=0"]), None);
        assert_eq!(cookie(&["SRV=", "nonsense", "=x", ""]), None);
        assert_eq!(cookie(&[]), None);
    }
}
