//! The HTTP responses to queries (RFC 8484 §4.2, §5.1).

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::http_query::{DNS_MESSAGE, METHODS, Refusal};
use evenkeel_core::message::smallest_ttl;

/// The response with a DNS message. A cache may keep it until its first record expires.
pub(super) fn answer(message: Vec<u8>, method: &Method) -> Response<Full<Bytes>> {
    let max_age = format!("max-age={}", smallest_ttl(&message).unwrap_or(0));
    let mut response = with_body(message, method, DNS_MESSAGE);
    if let Ok(value) = HeaderValue::try_from(max_age) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}

/// The response to a request without a query, with the reason as text.
pub(super) fn refusal(refusal: Refusal, method: &Method) -> Response<Full<Bytes>> {
    let mut response = with_body(format!("{}\n", refusal.reason).into_bytes(), method, "text/plain");
    *response.status_mut() = refusal.status;
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
    }
    response
}

/// A response with a body, which HEAD leaves out.
fn with_body(body: Vec<u8>, method: &Method, content_type: &'static str) -> Response<Full<Bytes>> {
    let length = body.len();
    let body = if *method == Method::HEAD { Bytes::new() } else { Bytes::from(body) };
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_head_request_gets_the_headers_of_the_answer() {
        for (method, len) in [(Method::GET, 12), (Method::HEAD, 0)] {
            let response = answer(vec![0; 12], &method);
            assert_eq!(response.headers()[CONTENT_LENGTH], "12");
            assert_eq!(response.headers()[CACHE_CONTROL], "max-age=0");
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), len);
        }
    }

    #[test]
    fn a_refused_method_gets_the_allowed_ones() {
        let refused = Refusal { status: StatusCode::METHOD_NOT_ALLOWED, reason: "no" };
        assert_eq!(refusal(refused, &Method::PUT).headers()[ALLOW], METHODS);
    }
}
