//! Programs that are run for their exit code: probes, actions, notifications.
//!
//! A program runs in a process group of its own, without a shell and with nothing of the server's environment; when it has
//! ended, or whoever runs it gives it up, all of the group is killed, so that nothing of it is left.

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

/// Where programs find others: what every Debian system has.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Bytes of the output that are kept, from its end.
const KEPT: usize = 4096;

/// How long output is still read when the program has ended and something that left its group holds the pipe.
const LEFT_BEHIND: Duration = Duration::from_millis(20);

/// A program with all that it is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// Absolute.
    pub path: PathBuf,
    /// What it is given, as it is: no shell reads it.
    pub arguments: Vec<String>,
    /// Set besides what whoever runs it sets.
    pub environment: Vec<(String, String)>,
}

/// How a program ended that did not end well.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{ended}{}{line}", if line.is_empty() { "" } else { ": " })]
pub struct ProgramFailure {
    /// Its exit code, or the signal.
    pub ended: String,
    /// The last line that it printed.
    pub line: String,
}

/// Kills a process group when nobody waits for it any more, however it ends.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody may be left in it, which is how it should be.
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

impl Program {
    /// Runs it to its end; exit code 0 is a good one. Dropping the future kills it.
    ///
    /// # Errors
    /// It could not be started; the message names it.
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
        let group = child.id().map(|id| Group(Pid::from_raw(id as i32)));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = {
            let mut reading = pin!(async { tokio::join!(tail(stdout, &mut out), tail(stderr, &mut err)) });
            let mut is_read = false;
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status,
                    _ = &mut reading, if !is_read => is_read = true,
                }
            };
            // Children that it leaves behind must not hold up its verdict by the output that they inherited.
            drop(group);
            if !is_read {
                let _ = timeout(LEFT_BEHIND, reading).await;
            }
            status?
        };
        let line = last_line(&out).or_else(|| last_line(&err)).unwrap_or_default();
        Ok(if status.success() { Ok(()) } else { Err(ProgramFailure { ended: described(status), line }) })
    }
}

/// Reads to the end and keeps the last bytes.
async fn tail(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut chunk = [0; KEPT];
    // What cannot be read is not there to be shown.
    while let Ok(len @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..len]);
        kept.drain(..kept.len().saturating_sub(KEPT));
    }
}

fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(200).filter(|c| !c.is_control()).collect())
}

fn described(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(), // killed by a signal
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
    async fn the_exit_code_decides_and_the_last_line_says_why() {
        assert_eq!(run("echo fine").await.unwrap(), Ok(()));
        assert_eq!(why("echo first; echo 'queue is full'; echo; exit 3").await, "exit code 3: queue is full");
        assert_eq!(why("echo only here >&2; exit 1").await, "exit code 1: only here");
        assert_eq!(why("exit 2").await, "exit code 2");
        assert!(why("kill -9 $$").await.starts_with("signal: 9"));
    }

    #[tokio::test]
    async fn the_environment_is_clean() {
        let names = "env | cut -d= -f1 | sort | tr '\\n' ' '; exit 1";
        assert_eq!(why(names).await, "exit code 1: EVENKEEL_ADDRESS OWN PATH PWD");
        assert_eq!(why("echo $EVENKEEL_ADDRESS $OWN; exit 1").await, "exit code 1: 192.0.2.1 value");
    }

    #[tokio::test]
    async fn what_a_program_leaves_behind_does_not_hold_up_its_verdict() {
        assert_eq!(run("sleep 1000 & exit 0").await.unwrap(), Ok(()));
        assert_eq!(why("sleep 1000 & echo full; exit 4").await, "exit code 4: full");
        assert_eq!(run("exec >&- 2>&-; exit 0").await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn endless_output_is_not_kept() {
        assert!(why("head -c 1000000 /dev/zero | tr '\\0' x; exit 1").await.len() < 300);
    }

    #[tokio::test]
    async fn the_whole_group_is_killed_when_the_time_is_over() {
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
        let ended = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            status.is_empty() || status.contains(") Z ")
        };
        for _ in 0..1000 {
            if ended() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("a grandchild outlives its program");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let program = Program { path: "/nonexistent".into(), ..Program::default() };
        assert!(program.run(&[]).await.unwrap_err().to_string().starts_with("/nonexistent: No such file"));
    }
}
