//! Network namespaces: a test that creates one has loopback addresses and ports of its own.
//!
//! A user namespace is created as well, so that the test needs no privileges on most systems. Both
//! end with the test. If the system refuses a namespace, the test fails and says which setting
//! allows it.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use super::program::{Process, installed, output_of, required};
use super::wait_until;

/// Mounts an empty /tmp, in which the directories of the arguments stay visible.
const EMPTY_TMP: &str = r#"
mount --rbind /tmp /mnt && mount -t tmpfs tmpfs /tmp || exit
for directory; do
    case "$directory" in
    /tmp/*) mkdir -p "$directory" && mount --rbind "/mnt/${directory#/tmp/}" "$directory" || exit ;;
    esac
done
exec cat
"#;

/// A network with a loopback interface and nothing else, in which pings are allowed.
pub(crate) struct Namespace {
    /// The process that keeps the namespaces alive.
    holder: Process,
    /// The mount namespace is a new one, with an empty /tmp.
    has_tmp: bool,
}

/// How an administrator allows namespaces, or runs the other tests.
const HOW_TO_ALLOW: &str = "\
These settings allow it: user.max_user_namespaces above 0, kernel.unprivileged_userns_clone = 1, \
kernel.apparmor_restrict_unprivileged_userns = 0; in a container, --privileged. \
To leave such tests out: tests/run --without unshare";

impl Namespace {
    /// Creates a network.
    pub(crate) fn new() -> Self {
        Self::hold(&["--net", "--", "cat"], false).unwrap_or_else(|reason| {
            panic!("this test needs a network namespace, but it cannot be created: {reason}\n{HOW_TO_ALLOW}")
        })
    }

    /// Creates a network with an empty /tmp. Neither ports nor sockets below /tmp collide with
    /// those of the machine. Programs in `directories` can be started.
    ///
    /// # Errors
    /// Fails with a message if the system does not allow a namespace, or if a program is missing.
    pub(crate) fn with_empty_tmp(directories: &[&Path]) -> Result<Self, String> {
        let directories =
            directories.iter().map(|directory| directory.to_str().expect("cargo builds below a path of text"));
        let arguments = ["--net", "--mount", "--", "/bin/sh", "-c", EMPTY_TMP, "sh"];
        Self::hold(&arguments.into_iter().chain(directories).collect::<Vec<_>>(), true)
    }

    /// Starts `cat` in new namespaces. It ends with its input, so at the latest when the process of
    /// the tests ends.
    fn hold(arguments: &[&str], has_tmp: bool) -> Result<Self, String> {
        installed("ip", "iproute2")?;
        let mut command = Command::new(installed("unshare", "util-linux")?);
        command.arg("--map-root-user").args(arguments);
        let holder = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()));
        let mut namespace = Self { holder, has_tmp };
        let net = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let (id, mut has_ended) = (namespace.holder.child.id().to_string(), false);
        // `unshare` enters the user namespace first and then executes `cat`.
        wait_until("the namespace is created", || {
            has_ended = namespace.holder.child.try_wait().is_ok_and(|status| status.is_some());
            let is_cat = std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name == "cat\n");
            has_ended || is_cat && net(&id) != net("self")
        });
        if has_ended {
            let mut errors = String::new();
            let _ = namespace.holder.child.stderr.take().expect("standard error is a pipe").read_to_string(&mut errors);
            return Err(errors.trim_end().to_owned());
        }
        namespace.run("ip link set lo up && echo '0 0' > /proc/sys/net/ipv4/ping_group_range");
        Ok(namespace)
    }

    /// A command that runs in this network. Its working directory is the repository.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(required("nsenter", "util-linux"));
        let id = self.holder.child.id().to_string();
        command.args(["--target", &id, "--user", "--net", "--preserve-credentials"]);
        if self.has_tmp {
            // The working directory is opened before the namespace is entered.
            command.args(["--mount", concat!("--wd=", env!("CARGO_MANIFEST_DIR"))]);
        }
        command.arg("--").arg(program);
        command
    }

    /// A command that runs in this network, with this file as `/etc/resolv.conf`.
    pub(crate) fn command_with_resolver(&self, resolv_conf: &Path, program: &str) -> Command {
        let mut command = self.command("unshare");
        let line = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        command.args(["--mount", "--", "/bin/sh", "-c", line]).arg(resolv_conf).arg(program);
        command
    }

    /// Runs a shell command in this network; the command must succeed.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) {
        output_of(self.command("/bin/sh").arg("-c").arg(line));
    }

    /// Number of pings that this network received, or `None` after its end.
    pub(crate) fn pings(&self) -> Option<u64> {
        self.kernel_counter("Icmp", "InEchos")
    }

    /// Number of UDP datagrams that its programs received, or `None` after its end. Queries and
    /// responses both count.
    pub(crate) fn datagrams(&self) -> Option<u64> {
        self.kernel_counter("Udp", "InDatagrams")
    }

    /// Number of UDP datagrams that its programs sent, or `None` after its end.
    pub(crate) fn datagrams_sent(&self) -> Option<u64> {
        self.kernel_counter("Udp", "OutDatagrams")
    }

    /// Number of fragments that this network created, or `None` after its end.
    pub(crate) fn fragments(&self) -> Option<u64> {
        self.kernel_counter("Ip", "FragCreates")
    }

    /// A counter of the kernel for this network.
    fn kernel_counter(&self, protocol: &str, name: &str) -> Option<u64> {
        let counters = std::fs::read_to_string(format!("/proc/{}/net/snmp", self.holder.child.id())).ok()?;
        let mut rows = counters.lines().filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(": "));
        let (names, values) = (rows.next()?, rows.next()?);
        let (_, value) = names.split(' ').zip(values.split(' ')).find(|(counter, _)| *counter == name)?;
        value.parse().ok()
    }
}
