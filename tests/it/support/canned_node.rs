//! A node that answers each request as the test says: for responses that neither the fake Core node
//! nor the double sends.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// Starts a node that answers each request with the bytes that `answer` returns for it. Then it
/// closes the connection, or stays silent if the response does not have `Connection: close`. It
/// runs until the process of the tests ends.
pub(crate) fn start(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the system has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let Some(request) = read_request(&mut stream) else { continue };
            let response = answer(&request);
            // The client may have gone away.
            let _ = stream.write_all(&response);
            if !String::from_utf8_lossy(&response).contains("\r\nConnection: close\r\n") {
                silent.push(stream);
            }
        }
    });
    address
}

/// A response with more header lines, each with its line break.
pub(crate) fn response(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let len = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {len}\r\nConnection: close\r\n{headers}\r\n{body}").into_bytes()
}

/// The head of a request, after its body was read too; none if the client sends no whole request.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(format!("{head}\r\n\r\n"));
        }
    }
}
