//! What a node is told about a file or a batch besides its content: rule, passwords, metadata.
//!
//! [`ClusterBuilder::scan_options`](crate::ClusterBuilder::scan_options) sets them for all sessions
//! of a cluster. The REST calls send them as headers.

use std::fmt;

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

/// Longest user data that nodes accept, URL-encoded, in bytes.
const MAX_USER_DATA: usize = 1024;

/// Options of a scan. All are optional; a node ignores those that its version does not know.
#[derive(Clone, Default, PartialEq)]
pub struct ScanOptions {
    rule: Option<String>,
    archive_passwords: Vec<String>,
    metadata: Option<Value>,
    callback_url: Option<String>,
    user_agent: Option<String>,
    user_data: Option<String>,
}

/// Without the passwords.
impl fmt::Debug for ScanOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, archive_passwords, metadata, callback_url, user_agent, user_data } = self;
        f.debug_struct("ScanOptions")
            .field("rule", rule)
            .field("archive_passwords", &archive_passwords.len())
            .field("metadata", metadata)
            .field("callback_url", callback_url)
            .field("user_agent", user_agent)
            .field("user_data", user_data)
            .finish()
    }
}

impl ScanOptions {
    /// No options: the node chooses the rule.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rule, also called workflow, with which files are scanned.
    #[must_use]
    pub fn rule(self, name: impl Into<String>) -> Self {
        Self { rule: Some(name.into()), ..self }
    }

    /// A password for encrypted archives and documents. Can be called repeatedly: the node tries
    /// each.
    #[must_use]
    pub fn archive_password(mut self, password: impl Into<String>) -> Self {
        self.archive_passwords.push(password.into());
        self
    }

    /// A JSON object that the node adds to the result of each file.
    #[must_use]
    pub fn metadata(self, metadata: Value) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// The URL to which the node sends the result of each file.
    #[must_use]
    pub fn callback_url(self, url: impl Into<String>) -> Self {
        Self { callback_url: Some(url.into()), ..self }
    }

    /// The name of this client; a rule can require a certain name. Sent in the header `user_agent`,
    /// not in `User-Agent`.
    #[must_use]
    pub fn user_agent(self, name: impl Into<String>) -> Self {
        Self { user_agent: Some(name.into()), ..self }
    }

    /// A text of at most 1,024 bytes, URL-encoded, that the node adds to the result of a batch.
    #[must_use]
    pub fn user_data(self, text: impl Into<String>) -> Self {
        Self { user_data: Some(text.into()), ..self }
    }

    /// The rule, if there is one.
    pub(crate) fn rule_name(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// The headers of the upload of a file.
    ///
    /// # Errors
    /// Names the option that a header cannot carry.
    pub(crate) fn file_headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let mut headers = self.common_headers()?;
        for (at, password) in self.archive_passwords.iter().enumerate() {
            let name = if at == 0 { "archivepwd".to_owned() } else { format!("archivepwd{at}") };
            let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
            let mut value = value("archive password", &encoded(password))?;
            value.set_sensitive(true);
            headers.push((name, value));
        }
        if let Some(metadata) = &self.metadata {
            if !metadata.is_object() {
                return Err("the metadata is not a JSON object".to_owned());
            }
            headers.push((HeaderName::from_static("metadata"), value("metadata", &encoded(&metadata.to_string()))?));
        }
        if let Some(url) = &self.callback_url {
            headers.push((HeaderName::from_static("callbackurl"), value("callback URL", url)?));
        }
        Ok(headers)
    }

    /// The headers of the request that opens a batch.
    ///
    /// # Errors
    /// Names the option that a header cannot carry.
    pub(crate) fn batch_headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let mut headers = self.common_headers()?;
        if let Some(text) = &self.user_data {
            let text = encoded(text);
            if text.len() > MAX_USER_DATA {
                return Err(format!(
                    "the user data has {} bytes, URL-encoded; {MAX_USER_DATA} are accepted",
                    text.len()
                ));
            }
            headers.push((HeaderName::from_static("user-data"), value("user data", &text)?));
        }
        Ok(headers)
    }

    /// The headers that say how files are scanned.
    ///
    /// # Errors
    /// Names the option that a header cannot carry.
    pub(crate) fn common_headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let mut headers = Vec::new();
        if let Some(rule) = &self.rule {
            headers.push((HeaderName::from_static("rule"), value("rule", &encoded(rule))?));
        }
        if let Some(name) = &self.user_agent {
            headers.push((HeaderName::from_static("user_agent"), value("user agent", name)?));
        }
        Ok(headers)
    }
}

fn value(option: &str, text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| format!("the {option} cannot be sent in a header"))
}

/// URL encoding, which the vendor asks for: all but unreserved characters are escaped (RFC 3986
/// §2.3).
fn encoded(text: &str) -> String {
    percent_encoded(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// Escapes all bytes of a text but those to keep.
pub(crate) fn percent_encoded(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let encode = |byte: u8| if is_kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(headers: Vec<(HeaderName, HeaderValue)>) -> Vec<String> {
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn options_are_headers_and_texts_are_url_encoded() {
        let options = ScanOptions::new()
            .rule("Mail & Co")
            .archive_password("infected")
            .archive_password("a%b")
            .metadata(json!({ "id": 7 }))
            .callback_url("http://10.0.0.1/done")
            .user_agent("mail-gateway")
            .user_data("ticket 7");
        assert_eq!(
            shown(options.file_headers().unwrap()),
            [
                "rule: Mail%20%26%20Co",
                "user_agent: mail-gateway",
                "archivepwd: infected",
                "archivepwd1: a%25b",
                "metadata: %7B%22id%22%3A7%7D",
                "callbackurl: http://10.0.0.1/done",
            ]
        );
        assert_eq!(
            shown(options.batch_headers().unwrap()),
            ["rule: Mail%20%26%20Co", "user_agent: mail-gateway", "user-data: ticket%207"]
        );
        assert!(ScanOptions::new().callback_url("a\nb").file_headers().is_err());
        assert!(ScanOptions::new().metadata(json!([7])).file_headers().is_err());
        assert!(ScanOptions::new().user_data("x".repeat(1024)).batch_headers().is_ok());
        assert!(ScanOptions::new().user_data("%".repeat(400)).batch_headers().is_err());
        assert_eq!(ScanOptions::new().file_headers().unwrap(), []);
    }

    #[test]
    fn passwords_are_not_in_the_debug_text() {
        let options = ScanOptions::new().rule("lax").archive_password("hunter2");
        let text = format!("{options:?}");
        assert!(text.contains("lax") && !text.contains("hunter2"), "{text}");
    }
}
