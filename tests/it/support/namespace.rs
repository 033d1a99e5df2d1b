//! Network namespaces: each test that creates one has loopback addresses and ports of its own.
//!
//! A user namespace is created with it, so that no privileges are needed where the system allows
//! that. All of it ends with the test.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use super::program::{Running, installed, output_of, required};
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

/// A network in which pings are allowed; it has a loopback interface and nothing else.
pub(crate) struct Namespace {
    holder: Running,
    /// It has a /tmp of its own as well.
    has_tmp: bool,
}

/// What to do if the system refuses a namespace.
const HOW_TO_ALLOW: &str = "\
These settings allow it: user.max_user_namespaces above 0, kernel.unprivileged_userns_clone = 1, \
kernel.apparmor_restrict_unprivileged_userns = 0; in a container, --privileged. \
To leave such tests out: tests/run --without unshare";

impl Namespace {
    pub(crate) fn new() -> Self {
        let namespace = Self::hold(&["--net", "--", "cat"], false);
        namespace.unwrap_or_else(|why| {
            panic!("this test needs a network namespace, and cannot have one: {why}\n{HOW_TO_ALLOW}")
        })
    }

    /// A network with an empty /tmp. Neither ports nor sockets below /tmp collide with those of the
    /// machine. Programs in `directories` can be started all the same.
    ///
    /// # Errors
    /// The system does not allow it, or lacks a program; the message says why.
    pub(crate) fn with_empty_tmp(directories: &[&Path]) -> Result<Self, String> {
        let directories = directories.iter().map(|directory| directory.to_str().expect("paths of cargo are text"));
        let arguments = ["--net", "--mount", "--", "/bin/sh", "-c", EMPTY_TMP, "sh"];
        Self::hold(&arguments.into_iter().chain(directories).collect::<Vec<_>>(), true)
    }

    /// Starts `cat` in new namespaces. It ends with its input, so with the process of the tests at
    /// the latest.
    fn hold(arguments: &[&str], has_tmp: bool) -> Result<Self, String> {
        installed("ip", "iproute2")?;
        let mut command = Command::new(installed("unshare", "util-linux")?);
        command.arg("--map-root-user").args(arguments);
        let holder = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()));
        let mut namespace = Self { holder, has_tmp };
        let net = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let (id, mut has_ended) = (namespace.holder.0.id().to_string(), false);
        // `unshare` enters the user namespace first and then executes `cat`.
        wait_until("the namespace is there", || {
            has_ended = namespace.holder.0.try_wait().is_ok_and(|status| status.is_some());
            let is_cat = std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name == "cat\n");
            has_ended || is_cat && net(&id) != net("self")
        });
        if has_ended {
            let mut errors = String::new();
            let _ = namespace.holder.0.stderr.take().expect("a pipe").read_to_string(&mut errors);
            return Err(errors.trim_end().to_owned());
        }
        namespace.run("ip link set lo up && echo '0 0' > /proc/sys/net/ipv4/ping_group_range");
        Ok(namespace)
    }

    /// A program that will see this network. It starts in the repository.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(required("nsenter", "util-linux"));
        let id = self.holder.0.id().to_string();
        command.args(["--target", &id, "--user", "--net", "--preserve-credentials"]);
        if self.has_tmp {
            // The working directory is opened before the namespace is entered.
            command.args(["--mount", concat!("--wd=", env!("CARGO_MANIFEST_DIR"))]);
        }
        command.arg("--").arg(program);
        command
    }

    /// A program that will see this network and resolve names at the name server in `resolv_conf`.
    pub(crate) fn command_asking(&self, resolv_conf: &Path, program: &str) -> Command {
        let mut command = self.command("unshare");
        let line = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        command.args(["--mount", "--", "/bin/sh", "-c", line]).arg(resolv_conf).arg(program);
        command
    }

    /// Runs a shell command in it.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) {
        output_of(self.command("/bin/sh").arg("-c").arg(line));
    }

    /// Number of pings that its addresses received; `None` when it has ended.
    pub(crate) fn pings(&self) -> Option<u64> {
        self.counted("Icmp", "InEchos")
    }

    /// Number of UDP datagrams that its programs received, queries and responses; `None` when it has ended.
    pub(crate) fn datagrams(&self) -> Option<u64> {
        self.counted("Udp", "InDatagrams")
    }

    /// Number of UDP datagrams that its programs sent; `None` when it has ended.
    pub(crate) fn datagrams_sent(&self) -> Option<u64> {
        self.counted("Udp", "OutDatagrams")
    }

    /// Number of fragments that it created; `None` when it has ended.
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
