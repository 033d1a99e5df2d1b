//! A server on all encrypted transports, and clients for TLS and QUIC.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, ReadToEndError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::WAIT_LIMIT;
use super::certificates::self_signed_pem;
use super::server::{CONFIG, Server, ZONE};

/// Name in the certificate of the server.
pub(crate) const NAME: &str = "ns.lb.example";

/// The keys for the encrypted transports, up to the next section.
const TLS_KEYS: &str = r#"nsid = "ns-a"
[server.tls]
certificate = "cert.pem"
key = "key.pem"
dot = ["127.0.0.1:0"]
doh = ["127.0.0.1:0"]
doq = ["127.0.0.1:0"]
[zones"#;

/// The configuration of most tests, with all transports.
pub(crate) fn config() -> String {
    CONFIG.replacen("[zones", TLS_KEYS, 1)
}

/// As [`config`], with limits on connections: their number, and an idle timeout in seconds.
pub(crate) fn config_with_limits(connections: usize, idle_timeout: u8) -> String {
    let limits = format!("[server]\ntcp_connections = {connections}\ntcp_idle_timeout = \"{idle_timeout}s\"\n");
    config().replace("[server]\n", &limits)
}

/// Starts a server on all transports, with a self-signed certificate in `cert.pem`.
pub(crate) fn start(config: &str) -> Server {
    let (cert, key) = self_signed_pem(NAME);
    Server::start_with(&[("evenkeel.toml", config), ("lb.zone", ZONE), ("cert.pem", &cert), ("key.pem", &key)])
}

/// A connection over TLS.
pub(crate) type TlsClient = StreamOwned<ClientConnection, TcpStream>;

/// Settings for a client that trusts only the certificate of the server, with protocol names.
fn client_config(server: &Server, protocols: &[&str]) -> ClientConfig {
    let trusted = std::fs::read(server.directory().join("cert.pem")).expect("the file was written at start");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&trusted).expect("the text is PEM")).expect("the certificate is valid");
    let mut tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    tls
}

/// Connects over TLS, to the address of `TLS` or `HTTPS`. Fails if the server refuses the protocols.
pub(crate) fn connect_tls(server: &Server, transport: &str, protocols: &[&str]) -> std::io::Result<TlsClient> {
    let name = NAME.try_into().expect("the name is valid");
    let config = Arc::new(client_config(server, protocols));
    let connection = ClientConnection::new(config, name).expect("the settings are valid");
    let stream = TcpStream::connect(server.address_of(transport)).expect("the server accepts connections");
    stream.set_read_timeout(Some(WAIT_LIMIT)).expect("the timeout is above zero");
    stream.set_write_timeout(Some(WAIT_LIMIT)).expect("the timeout is above zero");
    let mut client = StreamOwned::new(connection, stream);
    client.conn.complete_io(&mut client.sock)?;
    Ok(client)
}

/// A client of DNS over QUIC.
pub(crate) struct QuicClient {
    endpoint: Endpoint,
    server: SocketAddr,
}

impl QuicClient {
    pub(crate) fn new(server: &Server) -> Self {
        let mut endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).expect("the system has a free port");
        let tls = QuicClientConfig::try_from(client_config(server, &["doq"])).expect("there is a suite for QUIC");
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(tls)));
        Self { endpoint, server: server.address_of("QUIC") }
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Connection {
        let connecting = self.endpoint.connect(self.server, NAME).expect("the name is valid");
        connecting.await.expect("the server accepts the connection")
    }
}

/// Sends bytes over a new stream, which ends after them. Returns what the server sends until it
/// ends the stream.
pub(crate) async fn over_stream(connection: &Connection, content: &[u8]) -> Result<Vec<u8>, ReadToEndError> {
    let (mut send, mut receive) = connection.open_bi().await.map_err(|error| ReadToEndError::Read(error.into()))?;
    // If the server stops reading, its reason is in the result of the read.
    let _ = send.write_all(content).await;
    let _ = send.finish();
    receive.read_to_end(65_537).await
}
