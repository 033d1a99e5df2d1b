//! Webhooks: an event as the JSON body of a POST. A signature proves which server sent the event.
//!
//! - With status 2xx, the event is delivered.
//! - Without a response, or with status 408, 425, 429 or 5xx, the delivery fails temporarily.
//! - With any other status, it fails permanently. Redirects are not followed.

use std::fmt;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, StatusCode, Url, redirect};
use ring::hmac;

use super::delivery_error::DeliveryError;
use super::event::Event;
use crate::error_cause::innermost;
use crate::tls::TlsClient;

/// Header with the HMAC of the body.
pub const SIGNATURE: &str = "x-evenkeel-signature";

/// Header with the name of the machine: of two servers, each sends its own events.
pub const SOURCE: &str = "x-evenkeel-source";

/// Where events go.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// HTTP or HTTPS.
    pub url: Url,
    /// Sent in addition to the headers that evenkeel sets.
    pub headers: HeaderMap,
    /// Key of the signature. Without one, events are not signed.
    pub secret: Option<Secret>,
    /// Set if the URL is HTTPS.
    pub tls: Option<TlsClient>,
}

/// The key of signatures. Its `Debug` output does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// A secret with this key.
    pub fn new(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Sends events to a webhook.
pub(super) struct Sender {
    client: Client,
    webhook: Webhook,
    key: Option<hmac::Key>,
    /// Host name of this machine.
    source: String,
}

impl Sender {
    /// Prepares the HTTP client and the key of the signature.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub(super) fn new(webhook: &Webhook) -> reqwest::Result<Self> {
        let tls = webhook.tls.clone().unwrap_or_else(TlsClient::trusting_no_server);
        let client = Client::builder()
            .tls_backend_preconfigured(tls.config().as_ref().clone())
            .no_proxy()
            .redirect(redirect::Policy::none())
            .user_agent(concat!("evenkeel/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let key = webhook.secret.as_ref().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.0.as_bytes()));
        let source = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { client, webhook: webhook.clone(), key, source })
    }

    /// Sends one event.
    pub(super) async fn send(&self, event: &Event) -> Result<(), DeliveryError> {
        let Self { client, webhook, key, source } = self;
        let body = serde_json::to_vec(event).map_err(|error| DeliveryError::Permanent(error.to_string()))?;
        let mut request =
            client.post(webhook.url.clone()).header(CONTENT_TYPE, "application/json").header(SOURCE, source);
        if let Some(key) = key {
            request = request.header(SIGNATURE, signature(key, &body));
        }
        let response = request.headers(webhook.headers.clone()).body(body).send().await;
        let status = response.map_err(|error| DeliveryError::Temporary(innermost(&error).to_string()))?.status();
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Err(DeliveryError::Temporary(format!("status {status}")))
            }
            _ if status.is_server_error() => Err(DeliveryError::Temporary(format!("status {status}"))),
            _ => Err(DeliveryError::Permanent(format!("status {status}"))),
        }
    }
}

/// `sha256=` and the HMAC-SHA256 (RFC 2104) of a body, in hexadecimal.
fn signature(key: &hmac::Key, body: &[u8]) -> String {
    let tag = hmac::sign(key, body);
    tag.as_ref().iter().fold("sha256=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        assert_eq!(
            signature(&key, b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
