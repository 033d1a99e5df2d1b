//! Who is told of events: signed, in order, and again until they are taken.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use evenkeel::events::{Event, EventKind};
use evenkeel_core::actor::Actor;
use ring::hmac;

use crate::support::operator::{config, done, start};
use crate::support::server::{Server, ZONE};
use crate::support::wait_until;

/// A request: its signature, its body, and the status that it got.
type Asked = (String, Vec<u8>, u16);

/// What a recipient has taken, and what it says to the next.
struct Recipient {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    status: Arc<Mutex<u16>>,
}

impl Recipient {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let recipient = Self { port, asked: Arc::default(), status: Arc::new(Mutex::new(status)) };
        let (asked, status) = (Arc::clone(&recipient.asked), Arc::clone(&recipient.status));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let status = *status.lock().expect("no holder panics");
                if let Some((signature, body)) = take(stream, status) {
                    asked.lock().expect("no holder panics").push((signature, body, status));
                }
            }
        });
        recipient
    }

    fn say_from_now_on(&self, status: u16) {
        *self.status.lock().expect("no holder panics") = status;
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("no holder panics").len()
    }

    /// Events that were taken, in their order.
    fn taken(&self) -> Vec<Event> {
        let asked = self.asked.lock().expect("no holder panics");
        let taken = asked.iter().filter(|(_, _, status)| *status == 200);
        taken.map(|(_, body, _)| serde_json::from_slice(body).expect("an event")).collect()
    }

    fn states(&self) -> Vec<String> {
        self.taken().into_iter().map(|event| event.state.name().to_owned()).collect()
    }
}

/// Reads one request and answers it.
fn take(stream: TcpStream, status: u16) -> Option<(String, Vec<u8>)> {
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
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.into_inner().write_all(answer.as_bytes()).ok()?;
    Some((signature, body))
}

fn webhook(port: u16) -> String {
    format!(
        "[notifications.hook]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"secret\"\n\
         events = [\"override\"]\n"
    )
}

#[test]
fn events_are_signed_kept_in_order_and_tried_again() {
    let recipient = Recipient::start(503);
    let text = config(3) + &webhook(recipient.port);
    let mut server = Server::start_with(&[("evenkeel.toml", &text), ("lb.zone", ZONE), ("secret", "key\n")]);
    done(&server, "drain core/core-1");
    server.wait_for_log("notification hook is not accepted and will be sent again, status 503");
    done(&server, "force up core/core-2");
    done(&server, "resume core/core-1");
    recipient.say_from_now_on(200);
    wait_until("all are taken", || recipient.states() == ["drained", "forced_up", "resumed"]);
    server.wait_for_log("notification hook is accepted at attempt");
    for (signature, body, _) in recipient.asked.lock().expect("no holder panics").iter() {
        let tag: Vec<u8> =
            (7..signature.len()).step_by(2).map(|i| u8::from_str_radix(&signature[i..i + 2], 16).unwrap()).collect();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, b"key"), body, &tag).expect("a sound signature");
    }
    let taken = recipient.taken();
    assert_eq!(
        (taken[0].kind, taken[0].node.as_deref(), taken[0].by.as_ref().map(Actor::name)),
        (EventKind::Override, Some("core-1"), Some("ops"))
    );
    // What is refused for good is not tried again, and does not hold up the next.
    recipient.say_from_now_on(404);
    done(&server, "drain core/core-3");
    server.wait_for_log("notification hook is given up after 1 attempt, status 404");
    recipient.say_from_now_on(200);
    // A reload goes on where it was.
    server.reload(&text.replace("events = [", "timeout = \"1s\"\nevents = ["));
    done(&server, "resume core/core-3");
    wait_until("the next is taken", || recipient.states() == ["drained", "forced_up", "resumed", "resumed"]);
    assert!(recipient.asked() >= 6);
}

#[test]
fn programs_find_the_event_in_their_environment() {
    let exec = "[notifications.page]\nkind = \"exec\"\n\
        command = [\"/bin/sh\", \"-c\", \"echo \\\"$EVENKEEL_KIND $EVENKEEL_STATE $EVENKEEL_POOL $EVENKEEL_NODE: $EVENKEEL_TEXT\\\" >> $OUT\"]\n\
        events = [\"override\", \"tier\"]\n";
    let directory = tempfile::tempdir().expect("a directory for the test");
    let out = directory.path().join("out");
    let server = start(&format!("{}{exec}environment = {{ OUT = \"{}\" }}\n", config(1), out.display()));
    done(&server, "force down core/core-1 --force");
    let expected = "override forced_down core core-1: core/core-1 is forced down by ops\n\
                    tier servfail core : pool core: operators hold out every active node, SERVFAIL is answered\n";
    wait_until("the program has written both", || std::fs::read_to_string(&out).is_ok_and(|text| text == expected));
}
