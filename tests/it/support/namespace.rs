//! Networks of a test's own, which need no privileges: what is set in one is seen by nobody else, and ends with it.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use super::program::{Running, output_of, required};
use super::wait_until;

/// A network in which pings are allowed; it has a loopback interface and nothing else.
pub(crate) struct Namespace {
    holder: Running,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        required("ip", "iproute2");
        let mut command = Command::new(required("unshare", "util-linux"));
        // It ends with its input, so with the process of the tests at the latest.
        command.args(["--map-root-user", "--net", "--", "cat"]);
        let holder = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()));
        let mut namespace = Self { holder };
        let net = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        // It has its own users before its own network, and is another program once both are there.
        wait_until("the network is there", || {
            namespace.assert_allowed();
            let id = namespace.holder.0.id().to_string();
            let is_cat = std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name == "cat\n");
            is_cat && net(&id) != net("self")
        });
        namespace.run("ip link set lo up && echo '0 0' > /proc/sys/net/ipv4/ping_group_range");
        namespace
    }

    /// Checks that the holder runs: it ends at once if this user is not allowed to have namespaces.
    ///
    /// # Panics
    /// Says what the system refuses, and which settings decide about it.
    fn assert_allowed(&mut self) {
        let child = &mut self.holder.0;
        let Some(status) = child.try_wait().expect("a child of this process") else { return };
        let mut why = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = stderr.read_to_string(&mut why);
        }
        panic!(
            "this test needs a network namespace, and the system refuses it ({status}): {}\n\
             These settings allow it: user.max_user_namespaces above 0, kernel.unprivileged_userns_clone = 1, \
             kernel.apparmor_restrict_unprivileged_userns = 0; in a container, --privileged. \
             To leave such tests out: tests/run --without unshare",
            why.trim()
        );
    }

    /// A program that will see this network.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(required("nsenter", "util-linux"));
        let id = self.holder.0.id().to_string();
        command.args(["--target", &id, "--user", "--net", "--preserve-credentials", "--"]).arg(program);
        command
    }

    /// A program that will see this network and ask a name server for names: the only one in `resolv_conf`.
    pub(crate) fn command_asking(&self, resolv_conf: &Path, program: &str) -> Command {
        let mut command = self.command("unshare");
        let line = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        command.args(["--mount", "--", "/bin/sh", "-c", line]).arg(resolv_conf).arg(program);
        command
    }

    /// Runs a line of shell in it.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) {
        output_of(self.command("/bin/sh").arg("-c").arg(line));
    }

    /// How many pings its addresses were sent; nothing when it has ended.
    pub(crate) fn pings(&self) -> Option<u64> {
        self.counted("Icmp", "InEchos")
    }

    /// How many UDP datagrams have arrived at its programs, questions as well as answers; nothing when it has ended.
    pub(crate) fn datagrams(&self) -> Option<u64> {
        self.counted("Udp", "InDatagrams")
    }

    /// How many UDP datagrams its programs have sent; nothing when it has ended.
    pub(crate) fn datagrams_sent(&self) -> Option<u64> {
        self.counted("Udp", "OutDatagrams")
    }

    /// How many fragments it has made of packets; nothing when it has ended.
    pub(crate) fn fragments(&self) -> Option<u64> {
        self.counted("Ip", "FragCreates")
    }

    /// A counter of the kernel.
    fn counted(&self, protocol: &str, name: &str) -> Option<u64> {
        let counters = std::fs::read_to_string(format!("/proc/{}/net/snmp", self.holder.0.id())).ok()?;
        let mut rows = counters.lines().filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(": "));
        let (names, values) = (rows.next()?, rows.next()?);
        let (_, value) = names.split(' ').zip(values.split(' ')).find(|(counter, _)| *counter == name)?;
        value.parse().ok()
    }
}
