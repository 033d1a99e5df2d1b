//! Answers that are longer than a packet of the network.

use crate::support::namespace::Namespace;
use crate::support::operator::status;
use crate::support::program::{output_of, required};
use crate::support::server::{CONFIG, Server, ZONE};
use crate::support::wait_until;

/// A server in a network that answers `many.lb.example` with 1,164 bytes.
fn start(network: &Namespace, listen: &str, workers: u8) -> Server {
    let server =
        format!("listen = [\"{listen}\"]\nworkers = {workers}\nnsid = \"ns-a\"\n[admin]\nsocket = \"admin.sock\"");
    let config = CONFIG.replace("listen = [\"127.0.0.1:0\"]", &server);
    let many: String = (1..=70).map(|last| format!("many A 192.0.2.{last}\n")).collect();
    Server::start_in(network, &[("evenkeel.toml", &config), ("lb.zone", &(ZONE.to_owned() + &many))])
}

#[test]
fn a_reply_that_is_too_long_for_the_interface_sends_clients_to_tcp() {
    let network = Namespace::new();
    network.run("ip link set lo mtu 1000");
    // A wildcard socket must answer from the address that was asked also then; `dig` takes no other.
    for (listen, asked) in [("127.0.0.1:0", "127.0.0.1"), ("0.0.0.0:0", "127.0.0.2")] {
        let server = start(&network, listen, 1);
        let dig = |options: &str| {
            let arguments = format!("+nsid +bufsize=1232 {options}many.lb.example");
            server.dig_in(&network, asked.parse().expect("an address"), &arguments)
        };
        let short = dig("+notcp +ignore ");
        assert!(short.contains("flags: qr aa tc rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1"), "{short}");
        assert!(short.contains("; NSID: ") && short.contains("udp: 1232"), "{short}");
        assert_eq!(status(&server)["answers"]["udp"]["truncated"], 1);
        let whole = dig("");
        assert!(whole.contains("ANSWER: 70,") && whole.contains("(TCP)"), "{whole}");
    }
}

/// Runs a program of Python in the network, with the server's port and process as its arguments.
fn python(network: &Namespace, server: &Server, program: &str) -> String {
    let mut command = network.command(required("python3", "python3"));
    let arguments = [server.address().port().to_string(), server.id().to_string()];
    output_of(command.args(["-c", &format!("{QUESTION}{program}")]).args(arguments))
}

/// What both programs need.
const QUESTION: &str = r#"
import os, signal, socket, struct, sys
port, server = map(int, sys.argv[1:])
def question(name, number):
    return bytes([0, number, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 4]) + name + b"\2lb\7example\0\0\1\0\1\0\0\x29\4\xd0" + bytes(6)
"#;

/// Asks by turns for what fits and what does not, at two addresses, while the server is stopped, so that it finds all
/// questions waiting; prints TC and the number of records of each response.
const ASK_AT_ONCE: &str = r#"
os.kill(server, signal.SIGSTOP)
clients = []
for number, name in enumerate([b"core", b"many", b"core", b"many", b"many", b"core"]):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(20)
    client.connect(("127.0.0.%d" % (1 + number % 2), port))
    client.send(question(name, number))
    clients.append(client)
os.kill(server, signal.SIGCONT)
for number, client in enumerate(clients):
    response = client.recv(4096)
    assert response[1] == number
    print(response[2] >> 1 & 1, response[7])
"#;

#[test]
fn replies_that_are_too_long_hold_up_no_others() {
    let network = Namespace::new();
    network.run("ip link set lo mtu 1000");
    let server = start(&network, "0.0.0.0:0", 1);
    assert_eq!(python(&network, &server, ASK_AT_ONCE), "0 1\n1 0\n0 1\n1 0\n1 0\n0 1\n");
}

/// Asks from forty ports in the name of another host.
const ASK_FROM_AFAR: &str = r#"
client, here = map(socket.inet_aton, ("198.51.100.2", "198.51.100.1"))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for client_port in range(2000, 2040):
    datagram = question(b"many", 1)
    datagram = struct.pack("!4H", client_port, port, 8 + len(datagram), 0) + datagram
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, socket.IPPROTO_UDP, 0, client, here)
    raw.sendto(header + datagram, ("198.51.100.1", 0))
"#;

#[test]
fn nothing_that_is_claimed_of_a_path_makes_fragments() {
    let network = Namespace::new();
    // What a forged ICMP message would leave behind. There is no other interface than loopback, and nobody at that address.
    network.run("ip addr add 198.51.100.1 dev lo && ip route add 198.51.100.2 dev lo mtu 600");
    let server = start(&network, "0.0.0.0:0", 1);
    python(&network, &server, ASK_FROM_AFAR);
    wait_until("the responses have left", || network.datagrams_sent() == Some(40));
    assert_eq!(network.fragments(), Some(0));
}

#[test]
fn that_a_client_cannot_be_reached_is_told_once() {
    let network = Namespace::new();
    network.run("ip addr add 198.51.100.1 dev lo && ip route add prohibit 198.51.100.2");
    let server = start(&network, "0.0.0.0:0", 8);
    python(&network, &server, ASK_FROM_AFAR);
    wait_until("all are answered", || status(&server)["answers"]["udp"]["rcodes"]["NOERROR"] == 40);
    server.wait_for_log("cannot send to 198.51.100.2:");
    assert_eq!(server.log().matches("cannot send").count(), 1, "{}", server.log());
}
