//! A cluster behind its shared name: sessions start here. [`Cluster::scan_to_end`] also waits for
//! the report, and sends the file again if its session is lost.
//!
//! Callers create a cluster with [`ClusterBuilder`](crate::ClusterBuilder) or `Cluster::new`.
//! Starting a session fails if no node accepts it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::time::timeout_at;

use crate::backoff::deadline_in;
use crate::batch::{ClosedBatch, OpenBatch};
use crate::cluster_state::ClusterState;
use crate::error::Error;
use crate::exchange::NotStarted;
use crate::file_scan::FileScan;
use crate::pin::Pin;
use crate::report::Report;
use crate::search::NodeSearch;
use crate::skip::SkipReason;
use crate::source::Source;
use crate::ticket::{SessionKind, Ticket, without_cookie};

/// A cluster behind a shared name. Clones share everything and are cheap.
#[derive(Clone, Debug)]
pub struct Cluster(Arc<ClusterState>);

/// A session that another process started.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResumedSession {
    /// A single file.
    File(FileScan),
    /// A batch that was open when the ticket was written.
    OpenBatch(OpenBatch),
    /// A closed batch.
    ClosedBatch(ClosedBatch),
}

/// What happens to a file between sending it and its report.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScanEvent<'s> {
    /// The file was sent and its scan has started.
    Started(&'s FileScan),
    /// Progress of the scan in percent.
    Progress(u8),
    /// The session is lost; the file is sent again.
    Lost(&'s Error),
}

/// The request that starts a session.
enum FirstRequest<'s> {
    Scan(&'s mut Source),
    OpenBatch,
}

impl Cluster {
    pub(crate) fn with_state(state: ClusterState) -> Self {
        Self(Arc::new(state))
    }

    /// Resolves the name and pins one of its addresses, drawn at random, that accepts connections.
    /// Unreachable addresses are skipped. If all are, the name is resolved again, until `deadline`.
    ///
    /// # Errors
    /// The name cannot be resolved, or no node can be reached.
    pub async fn pin(&self) -> Result<Pin, Error> {
        NodeSearch::new(&self.0, &[]).next_connected().await
    }

    /// Sends a file to a node, which then starts to scan it.
    ///
    /// Until a node has accepted the file, nodes that cannot be reached, are busy, present a wrong
    /// certificate, break the connection, have no license or no disk space are skipped. A node that
    /// broke the connection after the last byte may scan the file, too. A reader
    /// ([`Source::reader`]) can be sent only once, so after its first byte no node is skipped.
    ///
    /// # Errors
    /// The source cannot be read, or changes while it is sent. No node accepts the file, or a node
    /// refuses it. With [`Affinity::Cookie`](crate::Affinity::Cookie), also if the response sets no
    /// cookie.
    pub async fn scan(&self, source: &mut Source) -> Result<FileScan, Error> {
        self.scan_avoiding(&[], source).await
    }

    /// Sends a file and waits for its report. If the session is lost, the file is sent again, to
    /// another node if possible, at most [`resubmissions`](crate::ClusterBuilder::resubmissions)
    /// times.
    ///
    /// # Errors
    /// As for [`scan`](Self::scan) and [`FileScan::result`], in the last attempt.
    pub async fn scan_to_end(&self, source: &mut Source) -> Result<Report, Error> {
        self.scan_to_end_with_events(source, |_| {}).await
    }

    /// As [`scan_to_end`](Self::scan_to_end), but calls `on_event` on the way.
    ///
    /// # Errors
    /// As for [`scan_to_end`](Self::scan_to_end).
    pub async fn scan_to_end_with_events(
        &self,
        source: &mut Source,
        mut on_event: impl FnMut(ScanEvent<'_>),
    ) -> Result<Report, Error> {
        let (mut resubmissions, mut lost_nodes) = (self.0.options.resubmissions, Vec::new());
        loop {
            let outcome = match self.scan_avoiding(&lost_nodes, source).await {
                Ok(scan) => {
                    on_event(ScanEvent::Started(&scan));
                    scan.result_with_progress(|percent| on_event(ScanEvent::Progress(percent))).await
                }
                Err(error) => Err(error),
            };
            match outcome {
                Err(error) if error.is_session_lost() && resubmissions > 0 && source.is_repeatable() => {
                    lost_nodes.extend(error.session().map(|session| session.node));
                    resubmissions -= 1;
                    on_event(ScanEvent::Lost(&error));
                }
                other => return other,
            }
        }
    }

    /// Asks a node for its latest result for a file with this hash (MD5, SHA-1 or SHA-256, in
    /// hexadecimal). Nodes know only the files that they have scanned themselves. Returns the
    /// session of that scan and its report.
    ///
    /// If [`ScanOptions`](crate::ScanOptions) has a rule, only a result under this rule counts;
    /// otherwise, that under any rule. The other options have no effect on a result that exists.
    ///
    /// # Errors
    /// The text is not such a hash. The name cannot be resolved, or no node can be reached. The
    /// node is gone, refuses, fails, or sends an invalid response, which includes a result for
    /// another hash. With [`Affinity::Cookie`](crate::Affinity::Cookie), also if the response sets
    /// no cookie.
    pub async fn lookup_hash(&self, hash: &str) -> Result<Option<(FileScan, Report)>, Error> {
        if !matches!(hash.len(), 32 | 40 | 64) || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::InvalidHash(hash.to_owned()));
        }
        let deadline = deadline_in(self.0.options.deadline);
        let pin = self.pin().await?;
        // No session starts, so the request has no more time than the search for a node.
        let known = timeout_at(deadline, pin.lookup_hash(hash)).await.unwrap_or_else(|_| {
            let reason = "no response before the deadline".to_owned();
            Err(Error::NodeGone { session: pin.session(None), reason })
        });
        Ok(known?.map(|(pin, report)| (FileScan::resumed(pin, report.data_id.clone()), report)))
    }

    /// Opens a batch at a node. Nodes are skipped as in [`scan`](Self::scan).
    ///
    /// # Errors
    /// No node accepts the batch, or a node refuses it. With
    /// [`Affinity::Cookie`](crate::Affinity::Cookie), also if the response sets no cookie.
    pub async fn open_batch(&self) -> Result<OpenBatch, Error> {
        let (pin, batch_id) = self.start(&[], FirstRequest::OpenBatch).await?;
        Ok(OpenBatch::opened(pin, batch_id))
    }

    /// Resumes the session of a ticket. Nothing is sent yet: only the first request shows whether
    /// the node still knows the session.
    ///
    /// # Errors
    /// The node of the ticket cannot belong to this cluster, or its HTTP client cannot be set up.
    pub fn resume(&self, ticket: &Ticket) -> Result<ResumedSession, Error> {
        let is_other_address = self.0.options.host.parse::<IpAddr>().is_ok_and(|address| address != ticket.node.ip());
        if is_other_address || ticket.node.port() != self.0.options.port {
            let reason = "its node does not have the address and port of the cluster";
            return Err(Error::InvalidTicket { ticket: without_cookie(&ticket.to_string()), reason });
        }
        let pin = Pin::new(ticket.node, &self.0, ticket.cookie.clone())?;
        let id = ticket.id.clone();
        Ok(match ticket.kind {
            SessionKind::File => ResumedSession::File(FileScan::resumed(pin, id)),
            SessionKind::OpenBatch => ResumedSession::OpenBatch(OpenBatch::resumed(pin, id)),
            SessionKind::ClosedBatch => ResumedSession::ClosedBatch(ClosedBatch::resumed(pin, id)),
        })
    }

    /// Sends a file to a node, to one of `avoid` only if no other node accepts it.
    async fn scan_avoiding(&self, avoid: &[SocketAddr], source: &mut Source) -> Result<FileScan, Error> {
        let (pin, data_id) = self.start(avoid, FirstRequest::Scan(source)).await?;
        Ok(FileScan::started(pin, data_id))
    }

    /// Starts a session at the first node that accepts it; returns its pin and its identifier.
    async fn start(&self, avoid: &[SocketAddr], mut first: FirstRequest<'_>) -> Result<(Pin, String), Error> {
        let mut search = NodeSearch::new(&self.0, avoid);
        loop {
            let pin = match &first {
                FirstRequest::Scan(source) if !source.is_reopenable() => search.next_connected().await?,
                _ => search.next().await?,
            };
            let started = match &mut first {
                FirstRequest::Scan(source) => pin.start_scan(source).await,
                // Nothing is uploaded, so a node that stays silent gets no more time than the
                // search.
                FirstRequest::OpenBatch => match timeout_at(search.deadline(), pin.open_batch()).await {
                    Ok(started) => started,
                    Err(_) => Err(NotStarted::Skipped(SkipReason::DeadlineReached)),
                },
            };
            match started {
                Ok(started) => return Ok(started),
                Err(NotStarted::Failed(error)) => return Err(error),
                Err(NotStarted::Skipped(reason)) => search.skip(pin.node(), reason),
                Err(NotStarted::Refused(error)) => search.refuse(pin.node(), error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_can_run_in_tasks_that_move_between_threads() {
        fn assert_send(_: impl Send) {}
        let cluster = Cluster::new("http://core.lb.example:8008").unwrap();
        let mut source = Source::bytes("a", "x");
        assert_send(cluster.pin());
        assert_send(cluster.scan(&mut source));
        assert_send(cluster.open_batch());
        let progress = std::sync::Mutex::new(0);
        assert_send(cluster.scan_to_end_with_events(&mut source, |event| match event {
            ScanEvent::Progress(percent) => *progress.lock().unwrap() = percent,
            ScanEvent::Started(_) | ScanEvent::Lost(_) => {}
        }));
    }
}
