//! Clients that scan with fake Core nodes behind a server.

use std::sync::LazyLock;
use std::time::Duration;

use evenkeel_client::{Cluster, ClusterBuilder};
use tokio::runtime::Runtime;

use super::commands::config_with_nodes;
use super::nodes::Nodes;
use super::server::Server;

/// Waits for a future in a test that is not async.
///
/// Such a test can start and stop nodes, each of which has a runtime. A runtime must not be stopped
/// inside another.
pub(crate) trait Wait: Future + Sized {
    /// Runs the future to its end.
    fn wait(self) -> Self::Output {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads can be started"));
        RUNTIME.block_on(self)
    }
}

impl<F: Future> Wait for F {}

/// Starts a server with the nodes behind `core.lb.example`, each probed every 200 ms.
pub(crate) fn start_server(nodes: &Nodes) -> Server {
    let pool = format!("[pools.core]\nmonitors = [\"ready\"]\nnodes = [\n{}", nodes.as_config());
    let text = config_with_nodes(0).replace("[pools.core]\nnodes = [\n", &pool)
        + &format!(
            "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"200ms\"\ntimeout = \"200ms\"\n",
            nodes.port
        );
    Server::start(&text)
}

/// A builder for a cluster at `core.lb.example`, which the server resolves.
///
/// The deadline for starting a session is long enough for a loaded machine.
pub(crate) fn builder(nodes: &Nodes, server: &Server) -> ClusterBuilder {
    Cluster::builder(&format!("http://core.lb.example:{}", nodes.port))
        .name_servers(vec![server.address()])
        .deadline(Duration::from_secs(60))
}
