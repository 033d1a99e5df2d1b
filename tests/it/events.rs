//! Events: `evenkeel events --follow`, webhooks, and programs that run per event.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};

use evenkeel::events::{Event, EventKind};
use evenkeel_core::actor::Actor;
use ring::hmac;

use crate::support::commands::{config_with_nodes, refusal, run};
use crate::support::server::{PROGRAM, Server, ZONE};
use crate::support::wait_until;

/// A request of the server to a webhook.
struct Delivery {
    signature: String,
    body: Vec<u8>,
    /// Status of the response.
    status: u16,
}

/// A receiver of webhooks.
struct Receiver {
    port: u16,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    /// Status of its next responses.
    status: Arc<Mutex<u16>>,
}

impl Receiver {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let receiver = Self { port, deliveries: Arc::default(), status: Arc::new(Mutex::new(status)) };
        let (deliveries, status) = (Arc::clone(&receiver.deliveries), Arc::clone(&receiver.status));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let status = *status.lock().expect("no thread panics with the lock held");
                if let Some(delivery) = receive(stream, status) {
                    deliveries.lock().expect("no thread panics with the lock held").push(delivery);
                }
            }
        });
        receiver
    }

    fn set_status(&self, status: u16) {
        *self.status.lock().expect("no thread panics with the lock held") = status;
    }

    /// Number of requests.
    fn deliveries(&self) -> usize {
        self.deliveries.lock().expect("no thread panics with the lock held").len()
    }

    /// Events that were accepted with status 200, in their order.
    fn accepted(&self) -> Vec<Event> {
        let deliveries = self.deliveries.lock().expect("no thread panics with the lock held");
        let accepted = deliveries.iter().filter(|delivery| delivery.status == 200);
        accepted.map(|delivery| serde_json::from_slice(&delivery.body).expect("the body is an event")).collect()
    }

    /// States of the accepted events.
    fn accepted_states(&self) -> Vec<String> {
        self.accepted().into_iter().map(|event| event.state.name().to_owned()).collect()
    }
}

/// Reads one request and responds with this status.
fn receive(stream: TcpStream, status: u16) -> Option<Delivery> {
    let mut reader = BufReader::new(stream);
    let (mut signature, mut len) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            evenkeel::events::SIGNATURE => value.clone_into(&mut signature),
            "content-length" => len = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body).ok()?;
    let response = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.into_inner().write_all(response.as_bytes()).ok()?;
    Some(Delivery { signature, body, status })
}

/// Configuration of a notification that sends events to a webhook on this port.
fn webhook(port: u16) -> String {
    format!(
        "[notifications.hook]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"secret\"\n\
         events = [\"override\"]\n"
    )
}

#[test]
fn events_are_signed_and_retried_in_order() {
    let receiver = Receiver::start(503);
    let text = config_with_nodes(3) + &webhook(receiver.port);
    let mut server = Server::start_with(&[("evenkeel.toml", &text), ("lb.zone", ZONE), ("secret", "key\n")]);
    run(&server, "drain core/core-1");
    server.wait_for_log("notification hook is not accepted and will be sent again, status 503");
    run(&server, "force up core/core-2");
    run(&server, "resume core/core-1");
    receiver.set_status(200);
    wait_until("all events are accepted", || receiver.accepted_states() == ["drained", "forced_up", "resumed"]);
    server.wait_for_log("notification hook is accepted at attempt");
    for delivery in receiver.deliveries.lock().expect("no thread panics with the lock held").iter() {
        let signature = &delivery.signature;
        let tag: Vec<u8> =
            (7..signature.len()).step_by(2).map(|i| u8::from_str_radix(&signature[i..i + 2], 16).unwrap()).collect();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, b"key"), &delivery.body, &tag).expect("the signature is valid");
    }
    let accepted = receiver.accepted();
    assert_eq!(
        (accepted[0].kind, accepted[0].node.as_deref(), accepted[0].by.as_ref().map(Actor::name)),
        (EventKind::Override, Some("core-1"), Some("ops"))
    );
    // An event that is refused for good is not retried, and does not delay the next one.
    receiver.set_status(404);
    run(&server, "drain core/core-3");
    server.wait_for_log("notification hook is given up after 1 attempt, status 404");
    receiver.set_status(200);
    // A reload keeps the queue.
    server.reload(&text.replace("events = [", "timeout = \"1s\"\nevents = ["));
    run(&server, "resume core/core-3");
    wait_until("the next event is accepted", || {
        receiver.accepted_states() == ["drained", "forced_up", "resumed", "resumed"]
    });
    assert!(receiver.deliveries() >= 6);
}

#[test]
fn programs_get_the_event_in_environment_variables() {
    let exec = "[notifications.page]\nkind = \"exec\"\n\
        command = [\"/bin/sh\", \"-c\", \"echo \\\"$EVENKEEL_KIND $EVENKEEL_STATE $EVENKEEL_POOL $EVENKEEL_NODE: $EVENKEEL_TEXT\\\" >> $OUT\"]\n\
        events = [\"override\", \"tier\"]\n";
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let out = directory.path().join("out");
    let server =
        Server::start(&format!("{}{exec}environment = {{ OUT = \"{}\" }}\n", config_with_nodes(1), out.display()));
    run(&server, "force down core/core-1 --force");
    let expected = "override forced_down core core-1: core/core-1 is forced down by ops\n\
                    tier servfail core : pool core: every active node is drained or forced down, responses are SERVFAIL\n";
    wait_until("the program has written both", || std::fs::read_to_string(&out).is_ok_and(|text| text == expected));
}

#[test]
fn events_are_followed_as_they_happen() {
    let server = Server::start(&config_with_nodes(2));
    assert!(refusal(&server, "events core/unknown").contains("there is no pool or node core/unknown"));
    let mut following = Command::new(PROGRAM)
        .args(["events", "--follow", "-n", "0", "core/core-2"])
        .env("EVENKEEL_SOCKET", server.directory().join("admin.sock"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the built program starts");
    let mut reader = BufReader::new(following.stdout.take().expect("standard output is a pipe"));
    let (sender, first) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("the output is text");
        sender.send(line)
    });
    run(&server, "drain core/core-1");
    // Events from before the command follows are not shown, so they are repeated.
    wait_until("a line is shown", || {
        run(&server, "drain core/core-2 --force");
        run(&server, "resume core/core-2");
        first.try_recv().is_ok_and(|line| line.contains("core/core-2 is "))
    });
    following.kill().expect("the process was not waited for yet");
    following.wait().expect("the process was not waited for yet");
}
