//! Responses that are longer than the MTU: the server sends no fragments (RFC 9715).

use crate::support::commands::status;
use crate::support::namespace::Namespace;
use crate::support::program::{output_of, required};
use crate::support::server::{CONFIG, Server, ZONE};
use crate::support::wait_until;

/// Starts a server in a network. Its response for `many.lb.example` has 1,164 bytes.
fn start_server(network: &Namespace, listen: &str, workers: u8) -> Server {
    let server =
        format!("listen = [\"{listen}\"]\nworkers = {workers}\nnsid = \"ns-a\"\n[admin]\nsocket = \"admin.sock\"");
    let config = CONFIG.replace("listen = [\"127.0.0.1:0\"]", &server);
    let many: String = (1..=70).map(|last| format!("many A 192.0.2.{last}\n")).collect();
    Server::start_in(network, &[("evenkeel.toml", &config), ("lb.zone", &(ZONE.to_owned() + &many))])
}

#[test]
fn a_response_above_the_mtu_is_truncated_and_complete_over_tcp() {
    let network = Namespace::new();
    network.run("ip link set lo mtu 1000");
    // A wildcard socket must respond from the queried address here as well; `dig` accepts no other.
    for (listen, address) in [("127.0.0.1:0", "127.0.0.1"), ("0.0.0.0:0", "127.0.0.2")] {
        let server = start_server(&network, listen, 1);
        let dig = |options: &str| {
            let arguments = format!("+nsid +bufsize=1232 {options}many.lb.example");
            server.dig_in(&network, address.parse().expect("the address is valid"), &arguments)
        };
        let truncated = dig("+notcp +ignore ");
        assert!(
            truncated.contains("flags: qr aa tc rd; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 1"),
            "{truncated}"
        );
        assert!(truncated.contains("; NSID: ") && truncated.contains("udp: 1232"), "{truncated}");
        assert_eq!(status(&server)["responses"]["udp"]["truncated"], 1);
        let whole = dig("");
        assert!(whole.contains("ANSWER: 70,") && whole.contains("(TCP)"), "{whole}");
    }
}

/// Runs a Python program in the network. Its arguments are port and process of the server.
fn python(network: &Namespace, server: &Server, program: &str) -> String {
    let mut command = network.command(required("python3", "python3"));
    let arguments = [server.address().port().to_string(), server.id().to_string()];
    output_of(command.args(["-c", &format!("{HEAD}{program}")]).args(arguments))
}

/// The head of all programs.
const HEAD: &str = r#"
import os, signal, socket, struct, sys
port, server = map(int, sys.argv[1:])
def question(name, number):
    return bytes([0, number, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 4]) + name + b"\2lb\7example\0\0\1\0\1\0\0\x29\4\xd0" + bytes(6)
"#;

/// Sends six queries at two addresses while the server is stopped, so that it reads them as a
/// batch. Some of the responses are above the MTU. Prints TC and the number of records of each
/// response.
const QUERY_IN_A_BATCH: &str = r#"
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
fn responses_above_the_mtu_do_not_delay_others_of_the_batch() {
    let network = Namespace::new();
    network.run("ip link set lo mtu 1000");
    let server = start_server(&network, "0.0.0.0:0", 1);
    assert_eq!(python(&network, &server, QUERY_IN_A_BATCH), "0 1\n1 0\n0 1\n1 0\n1 0\n0 1\n");
}

/// Sends queries from forty ports with the address of another host.
const QUERY_AS_OTHER_HOST: &str = r#"
client, here = map(socket.inet_aton, ("198.51.100.2", "198.51.100.1"))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for client_port in range(2000, 2040):
    datagram = question(b"many", 1)
    datagram = struct.pack("!4H", client_port, port, 8 + len(datagram), 0) + datagram
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, socket.IPPROTO_UDP, 0, client, here)
    raw.sendto(header + datagram, ("198.51.100.1", 0))
"#;

#[test]
fn a_forged_path_mtu_causes_no_fragments() {
    let network = Namespace::new();
    // The route is what a forged ICMP message would leave. Loopback is the only interface, and no
    // host has the address.
    network.run("ip addr add 198.51.100.1 dev lo && ip route add 198.51.100.2 dev lo mtu 600");
    let server = start_server(&network, "0.0.0.0:0", 1);
    python(&network, &server, QUERY_AS_OTHER_HOST);
    wait_until("all responses are sent", || network.datagrams_sent() == Some(40));
    assert_eq!(network.fragments(), Some(0));
}

#[test]
fn an_unreachable_client_is_logged_once() {
    let network = Namespace::new();
    network.run("ip addr add 198.51.100.1 dev lo && ip route add prohibit 198.51.100.2");
    let server = start_server(&network, "0.0.0.0:0", 8);
    python(&network, &server, QUERY_AS_OTHER_HOST);
    wait_until("all queries are answered", || status(&server)["responses"]["udp"]["rcodes"]["NOERROR"] == 40);
    server.wait_for_log("cannot send to 198.51.100.2:");
    assert_eq!(status(&server)["responses"]["udp"]["unsent"], 40);
    assert_eq!(server.log().matches("cannot send").count(), 1, "{}", server.log());
}
