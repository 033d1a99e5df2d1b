//! A batch: opened, filled, closed, and then its results. What is closed takes no more files: there is no method for it.

use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::Value;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::error::Error;
use super::file::{FileScan, POLLS, Verdict};
use super::pin::Pin;
use super::source::Source;
use super::ticket::{Kind, Ticket};

/// A batch that takes files.
#[derive(Clone, Debug)]
pub struct OpenBatch {
    pin: Pin,
    batch_id: String,
}

/// A batch that is closed.
#[derive(Clone, Debug)]
pub struct ClosedBatch {
    pin: Pin,
    batch_id: String,
}

/// How a batch stands.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchStatus {
    /// Whether it is closed.
    pub is_closed: bool,
    /// Its files.
    pub files: Vec<FileStatus>,
    /// Whether all of it may pass, once that is known.
    pub verdict: Option<Verdict>,
    /// What was found, in the node's words.
    pub found: String,
    /// All that the node says.
    pub json: Value,
}

/// A file in a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileStatus {
    /// The node's name for it.
    pub data_id: String,
    /// Its own name.
    pub name: String,
    /// How far it is, in percent.
    pub percent: u8,
    /// The result as a number: 0 no threat, 1 infected, 255 in progress.
    pub code: i64,
}

impl OpenBatch {
    pub(super) fn new(pin: Pin, batch_id: String) -> Self {
        Self { pin, batch_id }
    }

    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.pin.node()
    }

    /// The node's name for the batch.
    pub fn batch_id(&self) -> &str {
        &self.batch_id
    }

    /// What another process needs to go on.
    pub fn ticket(&self) -> Ticket {
        Ticket::of(Kind::Batch, &self.pin, &self.batch_id)
    }

    /// Sends a file into the batch; gives the node's name for it. When the node is too busy, it is asked again: no other
    /// one knows the batch. Several files may be sent at the same time.
    ///
    /// # Errors
    /// The node is gone, or what it says.
    pub async fn send(&self, source: &mut Source) -> Result<String, Error> {
        let mut headers = FileScan::headers(source);
        let batch = HeaderValue::from_str(&self.batch_id);
        headers.push(("batch", batch.map_err(|error| self.odd(&error.to_string()))?));
        let until = Instant::now() + self.pin.options().deadline;
        let mut busy = Backoff::new(POLLS.0, POLLS.1);
        loop {
            match self.pin.send("/file", source, &headers, &self.batch_id).await {
                Err(Error::Refused { status: 503, .. }) if source.is_repeatable() && Instant::now() < until => {
                    tokio::time::sleep(busy.next()).await;
                }
                Err(error) => return Err(error),
                Ok(answer) => {
                    let data_id = answer.get("data_id").and_then(Value::as_str).map(str::to_owned);
                    return data_id.ok_or_else(|| self.odd("it lacks data_id"));
                }
            }
        }
    }

    /// Sends files into the batch, `at_once` of them at a time (one at least). Gives what came of each, in their order: the
    /// node's name for it, or the error of [`send`](Self::send), which does not keep the others from being sent. When the
    /// future is dropped, nothing more is sent.
    pub async fn send_all(
        &self,
        sources: impl IntoIterator<Item = Source>,
        at_once: usize,
    ) -> Vec<Result<String, Error>> {
        let sending = sources.into_iter().map(|mut source| async move { self.send(&mut source).await });
        stream::iter(sending).buffered(at_once.max(1)).collect().await
    }

    /// How it stands.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn status(&self) -> Result<BatchStatus, Error> {
        status(&self.pin, &self.batch_id).await
    }

    /// Closes it. The node refuses that while files are in progress; then it is asked again, until it accepts.
    ///
    /// # Errors
    /// The node is gone, or has not accepted in time.
    pub async fn close(self) -> Result<ClosedBatch, Error> {
        let after = self.pin.options().result_timeout;
        let until = Instant::now() + after;
        let mut polls = Backoff::new(POLLS.0, POLLS.1);
        let path = format!("/file/batch/{}/close", self.batch_id);
        loop {
            match self.pin.ask(Method::POST, &path, &self.batch_id).await {
                Ok(_) => return Ok(ClosedBatch { pin: self.pin, batch_id: self.batch_id }),
                // Which code a refusal has is not written down.
                Err(Error::Refused { status: 400..=499 | 503, .. }) => {}
                Err(error) => return Err(error),
            }
            let wait = polls.next();
            if Instant::now() + wait >= until {
                return Err(Error::TooLong { at: self.pin.at(Some(&self.batch_id)), after });
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Gives it up, with all its files.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn cancel(self) -> Result<(), Error> {
        let path = format!("/file/batch/{}/cancel", self.batch_id);
        self.pin.ask(Method::POST, &path, &self.batch_id).await.map(drop)
    }

    fn odd(&self, why: &str) -> Error {
        Error::Odd { at: self.pin.at(Some(&self.batch_id)), why: why.to_owned() }
    }
}

impl ClosedBatch {
    /// The node.
    pub fn node(&self) -> SocketAddr {
        self.pin.node()
    }

    /// The node's name for the batch.
    pub fn batch_id(&self) -> &str {
        &self.batch_id
    }

    /// What was found.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn results(&self) -> Result<BatchStatus, Error> {
        status(&self.pin, &self.batch_id).await
    }

    /// The result as a text with signature and certificate.
    ///
    /// # Errors
    /// The node is gone, or does not know the batch.
    pub async fn signed_result(&self) -> Result<String, Error> {
        self.pin.ask_text(&format!("/file/batch/{}/certificate", self.batch_id), &self.batch_id).await
    }
}

async fn status(pin: &Pin, batch_id: &str) -> Result<BatchStatus, Error> {
    let json = pin.ask(Method::GET, &format!("/file/batch/{batch_id}"), batch_id).await?;
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_i64);
    let files = json.pointer("/batch_files/files_in_batch").and_then(Value::as_array).into_iter().flatten();
    let files = files.map(|file| FileStatus {
        data_id: text(file, "data_id"),
        name: text(file, "display_name"),
        percent: number(file, "progress_percentage").unwrap_or(0).clamp(0, 100) as u8,
        code: number(file, "scan_all_result_i").unwrap_or(-1),
    });
    let found = json.get("scan_results").map(|results| text(results, "scan_all_result_a")).unwrap_or_default();
    let verdict = match json.pointer("/process_info/result").and_then(Value::as_str) {
        Some("Allowed") => Some(Verdict::Allowed),
        Some("Processing") | None => None,
        Some(_) => Some(Verdict::Blocked(found.clone())),
    };
    Ok(BatchStatus {
        is_closed: json.get("is_closed").and_then(Value::as_bool).unwrap_or(false),
        files: files.collect(),
        verdict,
        found,
        json: json.clone(),
    })
}
