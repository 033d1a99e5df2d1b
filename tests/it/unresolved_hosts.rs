//! Forged queries from hosts of the local network that do not exist: their responses wait in the
//! kernel, and must not delay the responses to other clients.

use std::process::Command;

use crate::support::commands::status;
use crate::support::namespace::Namespace;
use crate::support::program::{Process, output_of, required};
use crate::support::server::{CONFIG, Server, ZONE};
use crate::support::wait_until;

/// The head of all programs. Their first argument is the port of the server.
const HEAD: &str = r#"
import socket, struct, sys, threading
port, here = int(sys.argv[1]), "10.9.0.1"
def question(number):
    return struct.pack("!6H", number, 0, 1, 0, 0, 0) + b"\4core\2lb\7example\0\0\1\0\1"
def forge(pause):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    number = 0
    while not done.wait(pause):
        client = struct.pack("!4B", 10, 9, 1 + number % 3, number // 3 % 256)
        datagram = question(1)
        datagram = struct.pack("!4H", 2000, port, 8 + len(datagram), 0) + datagram
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, socket.IPPROTO_UDP, 0)
        raw.sendto(header + client + socket.inet_aton(here) + datagram, (here, 0))
        number += 1
        forged.release()
def ask(number):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(0.5)
    client.connect((here, port))
    for _ in range(40):
        client.send(question(number))
        try:
            return client.recv(512)[:2] == question(number)[:2]
        except TimeoutError:
            pass
    return False
done, forged = threading.Event(), threading.Semaphore(0)
"#;

/// Forges 500 queries per second in a thread, and asks queries meanwhile, each until it is answered.
/// Prints how many were answered.
const FORGE_AND_ASK: &str = "
threading.Thread(target=forge, args=(0.002,)).start()
for _ in range(2000):
    forged.acquire()
answered = 0
while answered < 200 and ask(answered):
    answered += 1
done.set()
print(answered)
";

/// Forges queries as fast as it can until it is killed.
const FORGE: &str = "forge(0)";

/// Asks a query until it is answered.
const ASK: &str = "print(ask(1))";

/// A network without other hosts, and a server in it.
fn start_server() -> (Namespace, Server) {
    let network = Namespace::new();
    network.run("ip link add veth0 type veth peer name veth1 && ip addr add 10.9.0.1/16 dev veth0");
    network.run("ip link set veth0 up && ip link set veth1 up");
    // Without this, the kernel drops the forged packets, which come over the loopback interface.
    network.run("for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $file; done");
    let server = "listen = [\"10.9.0.1:0\"]\nworkers = 1\n[admin]\nsocket = \"admin.sock\"";
    let config = CONFIG.replace("listen = [\"127.0.0.1:0\"]", server);
    let server = Server::start_in(&network, &[("evenkeel.toml", &config), ("lb.zone", ZONE)]);
    (network, server)
}

/// A Python program in the network.
fn python(network: &Namespace, server: &Server, program: &str) -> Command {
    let mut command = network.command(required("python3", "python3"));
    command.args(["-c", &format!("{HEAD}{program}"), &server.address().port().to_string()]);
    command
}

#[test]
fn clients_are_answered_while_responses_wait_for_hosts_that_do_not_exist() {
    let (network, mut server) = start_server();
    assert_eq!(output_of(&mut python(&network, &server, FORGE_AND_ASK)), "200\n");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn responses_that_the_send_buffer_has_no_room_for_are_dropped_and_counted() {
    let (network, mut server) = start_server();
    let forger = Process::start(&mut python(&network, &server, FORGE));
    wait_until("the send buffer is full", || {
        status(&server)["responses"]["udp"]["unsent"].as_u64().is_some_and(|unsent| unsent > 1000)
    });
    assert!(server.log_has("the send buffer is full"), "{}", server.log());
    drop(forger);
    assert_eq!(output_of(&mut python(&network, &server, ASK)), "True\n");
    let udp = &status(&server)["responses"]["udp"];
    assert!(udp["unsent"].as_u64() < udp["rcodes"]["NOERROR"].as_u64(), "{udp}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}
