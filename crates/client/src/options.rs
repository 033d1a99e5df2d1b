//! The validated options of a cluster.
//!
//! [`ClusterBuilder`](crate::ClusterBuilder) creates them; everything below reads them and nothing
//! changes them.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use rustls::ClientConfig;

/// How the later requests of a session reach the node that started it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Affinity {
    /// By the address of the node: the shared name is resolved once per session.
    #[default]
    Address,
    /// By the cookie of an HTTP balancer. The request that starts a session carries no cookie. The
    /// cookie of its response is sent with all later requests of that session, and with no other
    /// request.
    Cookie,
}

/// Options of a cluster. The methods of the builder describe the timeouts.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Scheme, shared name and port; the path is `/`.
    pub(crate) url: Url,
    /// The shared name or the address in `url`, without brackets.
    pub(crate) host: String,
    /// The port in `url`, or the default port of its scheme.
    pub(crate) port: u16,
    pub(crate) tls: ClientConfig,
    /// Headers of each upload, but for the name of the file.
    pub(crate) file_headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers of requests that open a batch.
    pub(crate) batch_headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers of lookups by hash.
    pub(crate) lookup_headers: Vec<(HeaderName, HeaderValue)>,
    /// The rule that files are scanned with; none if the node chooses.
    pub(crate) rule: Option<String>,
    /// Value of the header `apikey`.
    pub(crate) apikey: Option<HeaderValue>,
    pub(crate) affinity: Affinity,
    pub(crate) deadline: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) stall_timeout: Duration,
    pub(crate) outage_timeout: Duration,
    pub(crate) result_timeout: Duration,
    pub(crate) resubmissions: u32,
}
