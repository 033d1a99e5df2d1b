//! unbound as the resolver in front of evenkeel, with random letter case and query name
//! minimisation.

use std::process::{Command, Stdio};

use hickory_proto::op::ResponseCode;

use crate::support::packet::{UdpClient, ipv4_addresses, query};
use crate::support::program::{Process, required};
use crate::support::server::{Server, ZONE};
use crate::support::{free_address, wait_until};

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:0"]
[zones."lb.example"]
file = "lb.zone"
[pools.core]
nodes = [{ name = "a", addresses = ["192.0.2.11", "2001:db8::11"] }, { name = "b", address = "192.0.2.12" }]
[names."core.lb.example"]
pool = "core"
ttl = "1s"
[names."x.y.deep.lb.example"]
pool = "core"
"#;

#[test]
fn unbound_resolves_shared_names_zone_names_and_missing_names() {
    let server = Server::start_with(&[("evenkeel.toml", CONFIG), ("lb.zone", ZONE)]);
    let program = required("unbound", "unbound");
    let directory = tempfile::tempdir().expect("the test can create a directory");
    let (dir, address) = (directory.path().display(), free_address());
    let config = format!(
        "server:\n interface: {}@{}\n access-control: 127.0.0.0/8 allow\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n \
         directory: \"{dir}\"\n pidfile: \"{dir}/pid\"\n use-syslog: no\n module-config: \"iterator\"\n num-threads: 1\n \
         use-caps-for-id: yes\n qname-minimisation: yes\n qname-minimisation-strict: yes\n do-not-query-localhost: no\n\
         stub-zone:\n name: \"lb.example\"\n stub-addr: {}@{}\nremote-control:\n control-enable: no\n",
        address.ip(),
        address.port(),
        server.address().ip(),
        server.address().port(),
    );
    let path = directory.path().join("unbound.conf");
    std::fs::write(&path, config).expect("the test can write its directory");
    let mut command = Command::new(program);
    command.arg("-d").arg("-c").arg(path).stdout(Stdio::null()).stderr(Stdio::null());
    let _process = Process::start(&mut command);
    let resolver = UdpClient::new(address);
    wait_until("the resolver responds", || resolver.exchange(&query(1, 0x0100, "www.lb.example", 1)).is_some());

    for (name, rtype, answers) in [
        ("core.lb.example", 1, 2),
        ("core.lb.example", 28, 1),
        ("core.lb.example", 16, 1),
        ("scan.lb.example", 1, 3),
        ("www.lb.example", 1, 1),
        ("www.lb.example", 28, 0),
        ("x.y.deep.lb.example", 1, 2),
        ("y.deep.lb.example", 1, 0),
        ("lb.example", 6, 1),
    ] {
        let response = resolver.ask_recursive(name, rtype);
        assert_eq!(response.metadata.response_code, ResponseCode::NoError, "{name} {rtype}");
        assert_eq!(response.answers.len(), answers, "{name} {rtype}: {:?}", response.answers);
    }
    for name in ["nothing.lb.example", "a.b.c.nothing.lb.example", "below.www.lb.example"] {
        assert_eq!(resolver.ask_recursive(name, 1).metadata.response_code, ResponseCode::NXDomain, "{name}");
    }
    assert_eq!(ipv4_addresses(&resolver.ask_recursive("core.lb.example", 1)).len(), 2);
}
