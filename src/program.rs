//! Runs programs for their exit code: monitors, role actions and notifications use it.
//!
//! A program runs in its own process group, without a shell and without the environment of the
//! server. When the program has ended, or the caller drops the future, the whole group is killed,
//! so that no process is left behind.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

/// The search path of programs: the directories of every Debian system.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Bytes that are kept from the end of the output.
const OUTPUT_KEPT: usize = 4096;

/// Longest wait for the end of the output once the program has ended. A process that has left the
/// group can still hold the pipe.
const OUTPUT_GRACE: Duration = Duration::from_millis(20);

/// A program with its arguments and environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// An absolute path.
    pub path: PathBuf,
    /// Passed as they are: there is no shell.
    pub arguments: Vec<String>,
    /// Variables of the configuration. The caller of [`Self::run`] adds others.
    pub environment: Vec<(String, String)>,
}

/// How a program failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{ended}{}{line}", if line.is_empty() { "" } else { ": " })]
pub struct ProgramFailure {
    /// The exit code, or the signal that ended it.
    pub ended: String,
    /// The last non-empty line of its standard output, or else of its standard error; empty if
    /// there is none.
    pub line: String,
}

/// Kills a process group when it is dropped.
struct ProcessGroup(Pid);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // An error means that no process is left in the group.
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

impl Program {
    /// Runs the program until it ends. Exit code 0 is a success. Dropping the future kills the
    /// process group.
    ///
    /// # Errors
    /// The program could not be started; the message names it.
    pub async fn run(&self, environment: &[(&str, &str)]) -> io::Result<Result<(), ProgramFailure>> {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", PATH)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display()));
        let mut child = command.spawn().map_err(named)?;
        let group = child.id().map(|id| ProcessGroup(Pid::from_raw(id as i32)));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = {
            let mut reading = pin!(async { tokio::join!(read_tail(stdout, &mut out), read_tail(stderr, &mut err)) });
            let mut all_read = false;
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status,
                    _ = &mut reading, if !all_read => all_read = true,
                }
            };
            // Child processes inherit the output. Those that are left must not delay the result.
            drop(group);
            if !all_read {
                let _ = timeout(OUTPUT_GRACE, reading).await;
            }
            status?
        };
        let line = last_line(&out).or_else(|| last_line(&err)).unwrap_or_default();
        Ok(if status.success() { Ok(()) } else { Err(ProgramFailure { ended: describe(status), line }) })
    }
}

/// Reads output to its end and keeps the last bytes.
async fn read_tail(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut chunk = [0; OUTPUT_KEPT];
    // An error ends the output: it is only shown, and decides nothing.
    while let Ok(len @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..len]);
        kept.drain(..kept.len().saturating_sub(OUTPUT_KEPT));
    }
}

fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(200).filter(|c| !c.is_control()).collect())
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        // A signal ended it.
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str) -> io::Result<Result<(), ProgramFailure>> {
        let program = Program {
            path: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            environment: vec![("OWN".to_owned(), "value".to_owned())],
        };
        program.run(&[("EVENKEEL_ADDRESS", "192.0.2.1")]).await
    }

    async fn why(script: &str) -> String {
        run(script).await.unwrap().unwrap_err().to_string()
    }

    #[tokio::test]
    async fn the_exit_code_decides_and_the_last_line_is_the_reason() {
        assert_eq!(run("echo fine").await.unwrap(), Ok(()));
        assert_eq!(why("echo first; echo 'queue is full'; echo; exit 3").await, "exit code 3: queue is full");
        assert_eq!(why("echo only here >&2; exit 1").await, "exit code 1: only here");
        assert_eq!(why("exit 2").await, "exit code 2");
        assert!(why("kill -9 $$").await.starts_with("signal: 9"));
    }

    #[tokio::test]
    async fn the_environment_of_the_server_is_not_passed_on() {
        let names = "env | cut -d= -f1 | sort | tr '\\n' ' '; exit 1";
        assert_eq!(why(names).await, "exit code 1: EVENKEEL_ADDRESS OWN PATH PWD");
        assert_eq!(why("echo $EVENKEEL_ADDRESS $OWN; exit 1").await, "exit code 1: 192.0.2.1 value");
    }

    #[tokio::test]
    async fn child_processes_that_are_left_do_not_delay_the_result() {
        assert_eq!(run("sleep 1000 & exit 0").await.unwrap(), Ok(()));
        assert_eq!(why("sleep 1000 & echo full; exit 4").await, "exit code 4: full");
        assert_eq!(run("exec >&- 2>&-; exit 0").await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn long_output_is_cut() {
        assert!(why("head -c 1000000 /dev/zero | tr '\\0' x; exit 1").await.len() < 300);
    }

    #[tokio::test]
    async fn dropping_the_future_kills_the_whole_group() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let running = tokio::spawn(async move { run(&script).await });
        let pid: i32 = loop {
            let written = std::fs::read_to_string(&file).unwrap_or_default();
            if written.ends_with('\n') {
                break written.trim().parse().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        running.abort();
        let has_ended = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            status.is_empty() || status.contains(") Z ")
        };
        for _ in 0..1000 {
            if has_ended() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("a child process outlives its program");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let program = Program { path: "/nonexistent".into(), ..Program::default() };
        assert!(program.run(&[]).await.unwrap_err().to_string().starts_with("/nonexistent: No such file"));
    }
}
