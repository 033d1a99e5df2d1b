//! The cookie that an HTTP balancer sets to route the later requests of a session to the same node.
//!
//! [`Pin`](crate::Pin) reads it from the response that starts a session, with `Affinity::Cookie`. A
//! `Set-Cookie` header that cannot be parsed is ignored, as user agents do.

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// The `Cookie` header for the later requests of a session, from the response that started it:
/// `SRV=core-1`, or several pairs separated by `; `. None if the response sets no cookie that
/// lasts.
///
/// RFC 6265, section 5.2: a `Max-Age` of zero or less deletes a cookie. Section 5.3: of two cookies
/// with one name, the last one counts. Section 4.1.1: cookies are ASCII; others are ignored,
/// because a ticket could not hold them.
pub(crate) fn from_response(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut pairs: Vec<(&[u8], &[u8])> = Vec::new();
    for value in headers.get_all(SET_COOKIE) {
        let mut parts = value.as_bytes().split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let Some((name, pair)) = parts.next().and_then(with_name) else { continue };
        pairs.retain(|(other, _)| *other != name);
        let has_value = pair.len() > name.len() + 1;
        if !parts.any(deletes_cookie) && has_value {
            pairs.push((name, pair));
        }
    }
    if pairs.is_empty() {
        return None;
    }
    let pairs: Vec<&[u8]> = pairs.into_iter().map(|(_, pair)| pair).collect();
    let mut cookie = HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()?;
    // The cookie gives access to the session, so it must not appear in logs.
    cookie.set_sensitive(true);
    Some(cookie)
}

/// A `name=value` pair with its name; none if the name is empty or if the pair is not ASCII.
fn with_name(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = pair.iter().position(|&byte| byte == b'=').filter(|&end| end > 0)?;
    pair.is_ascii().then_some((&pair[..end], pair))
}

/// Returns true for the attribute `Max-Age` with a value of zero or less.
fn deletes_cookie(attribute: &[u8]) -> bool {
    let attribute = str::from_utf8(attribute).ok().and_then(|text| text.split_once('='));
    attribute.is_some_and(|(name, value)| {
        name.eq_ignore_ascii_case("max-age") && value.trim().parse::<i64>().is_ok_and(|seconds| seconds <= 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(set_cookie: &[&str]) -> Option<String> {
        let header = |value: &&str| (SET_COOKIE, HeaderValue::from_str(value).unwrap());
        let cookie = from_response(&set_cookie.iter().map(header).collect())?;
        assert!(cookie.is_sensitive());
        Some(cookie.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_that_last_are_sent_back() {
        assert_eq!(cookie(&["SRV=core-1; path=/; HttpOnly"]), Some("SRV=core-1".to_owned()));
        assert_eq!(cookie(&["SRV=core-1", "route=a=b; Max-Age=60"]), Some("SRV=core-1; route=a=b".to_owned()));
        assert_eq!(cookie(&["SRV=core-1", "SRV=core-2"]), Some("SRV=core-2".to_owned()));
    }

    #[test]
    fn deleted_empty_and_malformed_cookies_are_not_sent_back() {
        assert_eq!(cookie(&["SRV=core-1", "SRV=; Max-Age=0"]), None);
        assert_eq!(cookie(&["SRV=core-1; max-age=0"]), None);
        assert_eq!(cookie(&["SRV=", "nonsense", "=x", ""]), None);
        assert_eq!(cookie(&["SRV=k\u{f6}ln", "route=a"]), Some("route=a".to_owned()));
        assert_eq!(cookie(&[]), None);
    }
}
