//! The REST API of MetaDefender Core: one method of [`Pin`] per call, with its path, headers and
//! response.
//!
//! The sessions and the cluster call it. Responses that lack a required member are
//! `Error::InvalidResponse`.

use std::collections::HashSet;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::error::Error;
use crate::exchange::{Headers, NotStarted};
use crate::options::Options;
use crate::pin::Pin;
use crate::report::{self, BatchPage, BatchStatus, Progress, Report};
use crate::sanitized::SanitizedFile;
use crate::scan_options::percent_encoded;
use crate::session_id;
use crate::source::Source;

impl Pin {
    /// `POST /file`: starts the scan of a file; returns the pin of the session and its `data_id`.
    pub(crate) async fn start_scan(&self, source: &mut Source) -> Result<(Self, String), NotStarted> {
        let headers = self.upload_headers(source.name());
        let (pin, response) = self.start_session("/file", Some(source), &headers).await?;
        let id = session_id::parse(&response, "data_id").map_err(|reason| pin.invalid_response(None, reason))?;
        if let Err(changed) = source.check_unchanged().await {
            // The caller gets no session, so nothing else would end the scan.
            let _ = pin.cancel_file(&id).await;
            return Err(NotStarted::Failed(changed));
        }
        Ok((pin, id))
    }

    /// `POST /file/batch`: opens a batch; returns the pin of the session and its `batch_id`.
    pub(crate) async fn open_batch(&self) -> Result<(Self, String), NotStarted> {
        let (pin, response) = self.start_session("/file/batch", None, &self.options().batch_headers).await?;
        let id = session_id::parse(&response, "batch_id").map_err(|reason| pin.invalid_response(None, reason))?;
        Ok((pin, id))
    }

    /// `POST /file` with the header `batch`: adds a file to a batch; returns its `data_id`.
    pub(crate) async fn add_file(&self, source: &mut Source, batch_id: &str) -> Result<String, Error> {
        let invalid = |reason: String| self.invalid_response(Some(batch_id), reason);
        let mut headers = self.upload_headers(source.name());
        let batch = HeaderValue::from_str(batch_id).map_err(|error| invalid(error.to_string()))?;
        headers.push((HeaderName::from_static("batch"), batch));
        let response = self.upload("/file", source, &headers, batch_id).await?;
        source.check_unchanged().await?;
        session_id::parse(&response, "data_id").map_err(invalid)
    }

    fn upload_headers(&self, file_name: &str) -> Headers {
        [file_name_header(file_name), self.options().file_headers.clone()].concat()
    }

    /// `POST /file/{data_id}/cancel`: cancels the scan of a single file.
    pub(crate) async fn cancel_file(&self, data_id: &str) -> Result<(), Error> {
        self.query_text(Method::POST, &format!("/file/{data_id}/cancel"), data_id).await.map(drop)
    }

    /// `GET /hash/{hash}`: the latest report about a file with this hash, if the node has one that
    /// was made under the rule of the cluster; with the pin of its session.
    pub(crate) async fn lookup_hash(&self, hash: &str) -> Result<Option<(Self, Report)>, Error> {
        let Options { lookup_headers, rule, .. } = self.options();
        let found = self.find_session(&format!("/hash/{hash}"), lookup_headers, hash).await?;
        let Some((pin, json)) = found else { return Ok(None) };
        let invalid = |reason: &str| self.invalid_response(None, reason);
        let data_id = session_id::parse(&json, "data_id").map_err(|reason| invalid(&reason))?;
        let Some(report) = self.parse_progress(&data_id, json)?.report else { return Ok(None) };
        if !report.hashes.contain(hash) {
            return Err(invalid("the report is about a file with another hash"));
        }
        // A node may ignore the header `rule`.
        let has_rule = rule.as_ref().is_none_or(|rule| *rule == report.rule);
        Ok(has_rule.then_some((pin, report)))
    }

    /// `GET /file/converted/{data_id}`: the sanitized file.
    pub(crate) async fn converted(&self, data_id: &str) -> Result<SanitizedFile, Error> {
        self.download(&format!("/file/converted/{data_id}"), data_id).await
    }

    /// `GET /file/{data_id}`: the progress of a file, in a batch or by itself.
    pub(crate) async fn file_progress(&self, data_id: &str) -> Result<Progress, Error> {
        let json = self.query_json(Method::GET, &format!("/file/{data_id}"), data_id).await?;
        self.parse_progress(data_id, json)
    }

    fn parse_progress(&self, data_id: &str, json: Value) -> Result<Progress, Error> {
        let progress = report::parse_progress(self.node(), data_id, json);
        progress.map_err(|reason| self.invalid_response(Some(data_id), reason))
    }

    /// `GET /file/batch/{batch_id}`: the status of a batch, with all pages of its files.
    pub(crate) async fn batch_status(&self, batch_id: &str) -> Result<BatchStatus, Error> {
        let BatchPage { mut status, mut next, mut total } = self.batch_page(batch_id, 0).await?;
        let mut listed: HashSet<String> = status.files.iter().map(|file| file.data_id.clone()).collect();
        while let Some(first) = next {
            let page = self.batch_page(batch_id, first).await?;
            let files = page.status.files.into_iter().filter(|file| listed.insert(file.data_id.clone()));
            let before = status.files.len();
            status.files.extend(files);
            (next, total) = (page.next.filter(|_| status.files.len() > before), page.total);
        }
        match total {
            // A file that is not listed must not be taken for one that is not in the batch.
            Some(total) if total > status.files.len() => {
                let reason = format!("the batch has {total} files, and the pages list {} of them", status.files.len());
                Err(self.invalid_response(Some(batch_id), reason))
            }
            _ => Ok(status),
        }
    }

    /// `GET /file/batch/{batch_id}?first=…`: a page of the status of a batch, from a file on.
    pub(crate) async fn batch_page(&self, batch_id: &str, first: usize) -> Result<BatchPage, Error> {
        let page = if first == 0 { String::new() } else { format!("?first={first}") };
        let json = self.query_json(Method::GET, &format!("/file/batch/{batch_id}{page}"), batch_id).await?;
        report::parse_batch_page(first, json).map_err(|reason| self.invalid_response(Some(batch_id), reason))
    }

    /// `POST /file/batch/{batch_id}/close`: closes a batch; refused while files are in progress.
    /// Returns true if the response says that the batch is closed.
    pub(crate) async fn close_batch(&self, batch_id: &str) -> Result<bool, Error> {
        let path = format!("/file/batch/{batch_id}/close");
        let json = self.query_json(Method::POST, &path, batch_id).await?;
        Ok(json.get("is_closed").and_then(Value::as_bool) == Some(true))
    }

    /// `POST /file/batch/{batch_id}/cancel`: cancels a batch. Version 4.18 documents another path.
    pub(crate) async fn cancel_batch(&self, batch_id: &str) -> Result<(), Error> {
        let path = format!("/file/batch/{batch_id}/cancel");
        match self.query_text(Method::POST, &path, batch_id).await {
            Err(Error::UnknownSession(_) | Error::UnexpectedStatus { status: 405, .. }) => {
                self.cancel_file(batch_id).await
            }
            cancelled => cancelled.map(drop),
        }
    }

    /// `GET /file/batch/{batch_id}/certificate`: the signed result of a closed batch.
    pub(crate) async fn batch_certificate(&self, batch_id: &str) -> Result<String, Error> {
        let path = format!("/file/batch/{batch_id}/certificate");
        match self.query_text(Method::GET, &path, batch_id).await {
            // The node may know the batch, and have no signed result of it.
            Err(Error::UnknownSession(session)) => {
                self.batch_page(batch_id, 0).await?;
                Err(Error::NotSigned(session))
            }
            signed => signed,
        }
    }
}

/// The header `filename`; none for an empty name. Bytes that a header cannot carry are
/// percent-encoded, and so is `%`.
fn file_name_header(name: &str) -> Headers {
    let encoded = percent_encoded(name, |byte| byte.is_ascii_graphic() && byte != b'%' || byte == b' ');
    let value = HeaderValue::from_str(&encoded).ok().filter(|value| !value.is_empty());
    value.map(|value| vec![(HeaderName::from_static("filename"), value)]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_percent_encoded_where_headers_require_it() {
        let header = |name: &str| file_name_header(name).pop().map(|(_, value)| value.to_str().unwrap().to_owned());
        assert_eq!(header("clean file.txt"), Some("clean file.txt".to_owned()));
        assert_eq!(header("ü\n100%.txt"), Some("%C3%BC%0A100%25.txt".to_owned()));
        assert_eq!(header(""), None);
    }
}
