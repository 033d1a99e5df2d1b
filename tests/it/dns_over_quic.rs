//! DNS over QUIC (RFC 9250): streams, error codes, and limits, with quinn as the client.

use std::time::Duration;

use quinn::{Connection, ConnectionError, ReadError, ReadToEndError, VarInt};
use tokio::task::JoinSet;

use crate::support::WAIT_LIMIT;
use crate::support::encrypted::{QuicClient, config, config_with_limits, over_stream, start};
use crate::support::packet::{framed, query};

/// A query without identifier.
fn doq_query() -> Vec<u8> {
    framed(&query(0, 0, "core.lb.example", 1))
}

/// The error code with which the server closes a connection.
async fn closed_with(connection: &Connection) -> Option<u64> {
    let closed = tokio::time::timeout(WAIT_LIMIT, connection.closed()).await.expect("the server closes the connection");
    match closed {
        ConnectionError::ApplicationClosed(close) => Some(close.error_code.into_inner()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rule_ends_the_connection_with_a_protocol_error() {
    let server = start(&config());
    let client = QuicClient::new(&server);
    let mut keepalive = query(0, 0, "core.lb.example", 1);
    let rdata_len = keepalive.len() - 1;
    keepalive[rdata_len] = 4;
    keepalive.extend([0, 11, 0, 0]);
    let (whole, two) = (doq_query(), [doq_query(), doq_query()].concat());
    let bad: [&[u8]; 5] = [&framed(&query(1, 0, "core.lb.example", 1)), &framed(&keepalive), &whole[..20], &two, &[]];
    for content in bad {
        let connection = client.connect().await;
        assert!(over_stream(&connection, content).await.is_err(), "{content:?}");
        assert_eq!(closed_with(&connection).await, Some(2), "{content:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_an_answer_leaves_the_connection_open() {
    let server = start(&config());
    let connection = QuicClient::new(&server).connect().await;
    let too_long = framed(&vec![0; 5000]);
    let outcome = over_stream(&connection, &too_long).await;
    assert_eq!(outcome, Err(ReadToEndError::Read(ReadError::Reset(VarInt::from_u32(4)))));
    let not_a_query = framed(&query(0, 0x8000, "core.lb.example", 1));
    let outcome = over_stream(&connection, &not_a_query).await;
    assert_eq!(outcome, Err(ReadToEndError::Read(ReadError::Reset(VarInt::from_u32(5)))));
    let (mut send, _receive) = connection.open_bi().await.expect("the server accepts streams");
    send.write_all(&doq_query()[..9]).await.expect("the server reads requests");
    send.reset(VarInt::from_u32(3)).expect("the stream is open");
    assert!(over_stream(&connection, &doq_query()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_can_have_many_queries_but_no_other_streams() {
    let server = start(&config());
    let connection = QuicClient::new(&server).connect().await;
    let mut queries = JoinSet::new();
    for _ in 0..1000 {
        let connection = connection.clone();
        queries.spawn(async move { over_stream(&connection, &doq_query()).await });
    }
    while let Some(query) = queries.join_next().await {
        assert!(query.expect("the task does not panic").expect("the server responds").len() > 12);
    }
    let opened = tokio::time::timeout(Duration::from_millis(50), connection.open_uni()).await;
    assert!(opened.is_err(), "the server allows no unidirectional streams");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_end_and_silent_ones_make_room() {
    let server = start(&config_with_limits(20, 2));
    let client = QuicClient::new(&server);
    let used = client.connect().await;
    assert!(over_stream(&used, &doq_query()).await.is_ok());
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(client.connect().await);
    }
    assert!(over_stream(&client.connect().await, &doq_query()).await.is_ok());
    // Keeping the connection alive does not help: only responses count.
    let stalled = client.connect().await;
    let (mut send, _receive) = stalled.open_bi().await.expect("the server accepts streams");
    let trickle = tokio::spawn(async move {
        for byte in doq_query().into_iter().cycle().take(20).chain(std::iter::repeat_n(0, 1000)) {
            if send.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(closed_with(&stalled).await, Some(0));
    trickle.await.expect("the task does not panic");
}

/// Many handshakes at once: some clients must validate their address first (Retry), and all get an
/// answer.
#[tokio::test(flavor = "multi_thread")]
async fn many_handshakes_at_the_same_time_all_succeed() {
    let server = start(&config_with_limits(1000, 60));
    let mut clients = JoinSet::new();
    for _ in 0..60 {
        let client = QuicClient::new(&server);
        clients.spawn(async move { over_stream(&client.connect().await, &doq_query()).await });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("the client does not panic").expect("the server responds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_queries_and_closes_connections() {
    let mut server = start(&config());
    let connection = QuicClient::new(&server).connect().await;
    assert!(over_stream(&connection, &doq_query()).await.is_ok());
    server.signal("TERM");
    assert_eq!(closed_with(&connection).await, Some(0));
    assert_eq!(server.wait().code(), Some(0));
}
