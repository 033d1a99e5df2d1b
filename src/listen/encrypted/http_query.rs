//! Reads the head of an HTTP request as a DNS query (RFC 8484 §4.1), without I/O.
//!
//! A request that holds no query gets a [`Refusal`]. No request makes this panic.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Version};

use super::limits::MAX_QUERY;

/// The media type of DNS messages (RFC 8484 §6).
pub(super) const DNS_MESSAGE: &str = "application/dns-message";

/// The methods of requests with queries.
pub(super) const METHODS: &str = "GET, HEAD, POST";

/// Where the query of a request is.
#[derive(Debug, PartialEq)]
pub(super) enum HttpQuery {
    /// In the head: this message.
    InHead(Vec<u8>),
    /// In the body, which has the right type, and the right length if it is announced.
    InBody,
}

/// Why a request gets no DNS message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// For the person who reads the body.
    pub(super) reason: &'static str,
}

impl Refusal {
    pub(super) const BAD_MESSAGE: Self = Self::new(StatusCode::BAD_REQUEST, "this is not a DNS query");
    pub(super) const TOO_LARGE: Self = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "a query has at most 4096 bytes");
    pub(super) const TOO_SLOW: Self = Self::new(StatusCode::REQUEST_TIMEOUT, "the body took too long");
    pub(super) const BROKEN_BODY: Self = Self::new(StatusCode::BAD_REQUEST, "the body is not complete");
    const BAD_PARAMETER: Self =
        Self::new(StatusCode::BAD_REQUEST, "the parameter `dns` is required once, in base64url without padding");

    const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason }
    }
}

/// Reads the head of a request to a server that answers at `path`.
///
/// # Errors
/// Says which status the response has.
pub(super) fn read(head: &Parts, path: &str) -> Result<HttpQuery, Refusal> {
    if head.version < Version::HTTP_11 {
        return Err(Refusal::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.1 or HTTP/2 is required"));
    }
    if head.uri.path() != path {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "DNS queries have another path"));
    }
    let in_head = match head.method {
        Method::GET | Method::HEAD => true,
        Method::POST => false,
        _ => return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST")),
    };
    if !accepts_dns_message(&head.headers) {
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "the response is application/dns-message"));
    }
    if in_head {
        return in_parameter(head.uri.query().unwrap_or_default()).map(HttpQuery::InHead);
    }
    check_body(&head.headers).map(|()| HttpQuery::InBody)
}

/// The message in the query of the URI: `dns=` and base64url.
fn in_parameter(query: &str) -> Result<Vec<u8>, Refusal> {
    let mut values = query.split('&').filter_map(|parameter| parameter.strip_prefix("dns="));
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::BAD_PARAMETER);
    };
    if value.len() > MAX_QUERY.div_ceil(3) * 4 {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "a query has at most 4096 bytes"));
    }
    BASE64_URL_SAFE_NO_PAD.decode(value).map_err(|_| Refusal::BAD_PARAMETER)
}

/// Checks the headers that describe the body.
fn check_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let unsupported = Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/dns-message");
    let mut types = values(headers, CONTENT_TYPE);
    let (Some(content_type), None) = (types.next(), types.next()) else { return Err(unsupported) };
    let is_encoded = values(headers, CONTENT_ENCODING).any(|coding| !coding.eq_ignore_ascii_case("identity"));
    if !media_type(content_type).eq_ignore_ascii_case(DNS_MESSAGE) || is_encoded {
        return Err(unsupported);
    }
    let announced = values(headers, CONTENT_LENGTH).find_map(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_QUERY as u64) { Err(Refusal::TOO_LARGE) } else { Ok(()) }
}

/// Returns true if the client accepts a DNS message, as it does without an `Accept` header (RFC 9110
/// §12.5.1).
fn accepts_dns_message(headers: &HeaderMap) -> bool {
    if !headers.contains_key(ACCEPT) {
        return true;
    }
    let ranges = values(headers, ACCEPT).flat_map(|value| value.split(','));
    ranges.into_iter().any(|range| {
        let accepted = ["*/*", "application/*", DNS_MESSAGE];
        accepted.iter().any(|accepted| media_type(range).eq_ignore_ascii_case(accepted)) && !is_refused(range)
    })
}

/// Returns true if the weight of a media range is 0: `;q=0`, `;q=0.0`.
fn is_refused(range: &str) -> bool {
    let parameters = range.split(';').skip(1).map(str::trim);
    let mut weights = parameters.filter_map(|parameter| parameter.strip_prefix(['q', 'Q'])?.strip_prefix('='));
    weights.any(|weight| weight.starts_with('0') && weight.bytes().all(|byte| matches!(byte, b'0' | b'.')))
}

/// A media type without its parameters.
fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

/// The values of a header that are text.
fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use proptest::prelude::*;

    use super::*;

    const PATH: &str = "/dns-query";

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn status(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<HttpQuery, u16> {
        read(&head(method, uri, headers), PATH).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        // RFC 8484 §4.1.1: www.example.com A.
        let uri = "https://dnsserver.example.net/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
        let message = b"\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01";
        assert_eq!(status("GET", uri, &[("accept", DNS_MESSAGE)]), Ok(HttpQuery::InHead(message.to_vec())));
        assert_eq!(status("HEAD", uri, &[]), Ok(HttpQuery::InHead(message.to_vec())));
        let with_others = "/dns-query?a=b&dns=AAAB&dnsx=1&ct=application/dns-message";
        assert_eq!(status("GET", with_others, &[]), Ok(HttpQuery::InHead(vec![0, 0, 1])));
    }

    #[test]
    fn a_post_announces_its_body() {
        let post = |headers: &[(&str, &str)]| status("POST", PATH, headers);
        let typed = ("content-type", DNS_MESSAGE);
        assert_eq!(post(&[typed]), Ok(HttpQuery::InBody));
        assert_eq!(
            post(&[("content-type", "Application/DNS-Message; a=b"), ("content-length", "4096")]),
            Ok(HttpQuery::InBody)
        );
        assert_eq!(post(&[typed, ("content-encoding", "identity")]), Ok(HttpQuery::InBody));
        assert_eq!(post(&[typed, ("content-length", "4097")]), Err(413));
        assert_eq!(post(&[typed, ("content-encoding", "gzip")]), Err(415));
        assert_eq!(post(&[typed, typed]), Err(415));
        assert_eq!(post(&[("content-type", "application/json")]), Err(415));
        assert_eq!(post(&[]), Err(415));
    }

    #[test]
    fn requests_without_a_query_are_refused() {
        let get = |uri: &str| status("GET", uri, &[]);
        for bad in ["", "?", "?dns", "?dns=A", "?dns=AAA=", "?dns=AA+A", "?dns=A%41", "?dns=AAAB&dns=AAAB", "?DNS=AAAB"]
        {
            assert_eq!(get(&format!("{PATH}{bad}")), Err(400), "{bad}");
        }
        for other in ["/", "/dns-query/", "/DNS-query", "/dns%2dquery", "*"] {
            assert_eq!(get(other), Err(404), "{other}");
        }
        assert_eq!(get(&format!("{PATH}?dns={}", "A".repeat(5464))).map(|_| ()), Ok(()));
        assert_eq!(get(&format!("{PATH}?dns={}", "A".repeat(5465))), Err(414));
        for method in ["PUT", "DELETE", "OPTIONS", "CONNECT", "XYZ"] {
            assert_eq!(status(method, PATH, &[]), Err(405), "{method}");
        }
        let mut old = head("GET", PATH, &[]);
        old.version = Version::HTTP_10;
        assert_eq!(read(&old, PATH).unwrap_err().status, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    }

    #[test]
    fn the_accept_header_can_exclude_dns_messages() {
        let accepts = |value| status("GET", "/dns-query?dns=AAAB", &[("accept", value)]).is_ok();
        for good in
            ["*/*", "application/*", DNS_MESSAGE, "text/html, */*;q=0.1", "text/html,application/dns-message; q=1"]
        {
            assert!(accepts(good), "{good}");
        }
        for bad in ["", "text/html", "application/dns-json", "application/dns-message;q=0", "*/*; Q=0.000"] {
            assert!(!accepts(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_message_comes_back_from_its_parameter(message in prop::collection::vec(any::<u8>(), 0..=MAX_QUERY)) {
            let uri = format!("{PATH}?dns={}", BASE64_URL_SAFE_NO_PAD.encode(&message));
            prop_assert_eq!(status("GET", &uri, &[]), Ok(HttpQuery::InHead(message)));
        }

        #[test]
        fn no_head_causes_a_panic(
            method in "GET|HEAD|POST|[A-Z]{1,8}",
            query in "[!-~&&[^#<>\"`{}|\\\\^]]{0,40}",
            name in prop::sample::select(vec!["accept", "content-type", "content-length", "content-encoding"]),
            value in prop::collection::vec(any::<u8>().prop_filter("a header", |byte| *byte >= 32 && *byte != 127), 0..40),
        ) {
            let request = Request::builder().method(&*method).uri(format!("{PATH}?{query}")).header(name, value.as_slice());
            let _ = read(&request.body(()).unwrap().into_parts().0, PATH);
        }
    }
}
