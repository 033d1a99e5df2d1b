//! Clients that scan with the nodes behind a server.

use std::sync::LazyLock;
use std::time::Duration;

use evenkeel_client::{Cluster, ClusterBuilder};
use tokio::runtime::Runtime;

use super::nodes::Nodes;
use super::operator::{config, start};
use super::server::Server;

/// Waits where nodes are started and killed, which have runtimes of their own.
pub(crate) trait Wait: Future + Sized {
    fn wait(self) -> Self::Output {
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
        RUNTIME.block_on(self)
    }
}

impl<F: Future> Wait for F {}

/// The nodes behind `core.lb.example`, as the server sees them every 100 ms.
pub(crate) fn serve(nodes: &Nodes) -> Server {
    let pool = format!("[pools.core]\nmonitors = [\"ready\"]\nnodes = [\n{}", nodes.as_config());
    let text = config(0).replace("[pools.core]\nnodes = [\n", &pool)
        + &format!(
            "[monitors.ready]\nkind = \"http\"\nport = {}\npath = \"/readyz\"\ninterval = \"100ms\"\ntimeout = \"100ms\"\n",
            nodes.port
        );
    start(&text)
}

/// A cluster whose name the server resolves.
pub(crate) fn cluster(nodes: &Nodes, server: &Server) -> ClusterBuilder {
    Cluster::builder(&format!("http://core.lb.example:{}", nodes.port))
        .name_servers(vec![server.address()])
        .deadline(Duration::from_secs(5))
}
