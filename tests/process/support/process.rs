use std::io::{Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::{PAUSE, SOON, until};

/// A running process whose output is collected; killed when dropped, whatever happens to the test.
pub struct Process {
    child: Child,
    stdout: Captured,
    stderr: Captured,
}

impl Process {
    /// Starts a command and gives it `input` as standard input.
    pub fn spawn(mut command: Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A program that never reads its input may be gone by now.
        let _ = stdin.write_all(input.as_bytes());
        let stdout = Captured::from(child.stdout.take().expect("a pipe"));
        let stderr = Captured::from(child.stderr.take().expect("a pipe"));
        Self { child, stdout, stderr }
    }

    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// The events that the sink `log:` has printed, in their order.
    pub fn envelopes(&self) -> Vec<Value> {
        let stdout = self.stdout();
        let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let events = lines.filter(|line| line["target"] == "keyward::events");
        events
            .map(|line| serde_json::from_str(line["event"].as_str().expect("text")).expect("JSON"))
            .collect()
    }

    /// Everything it has said, for messages of failed assertions.
    pub fn said(&self) -> String {
        format!("--- stdout ---\n{}--- stderr ---\n{}", self.stdout(), self.stderr())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A line of `/proc/PID/status`, as `VmRSS`.
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("Linux");
        let value = status.lines().find_map(|found| found.strip_prefix(line)).expect("it is there");
        value.trim_matches([':', '\t', ' ', 'k', 'B']).parse().expect("a number")
    }

    /// Sends a signal by its name, as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill is installed").success(), "the process is there to be signalled");
    }

    /// Ends it without a chance to tidy up, as a power cut would.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.child.wait().expect("it ends");
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for its end and the rest of its output, and returns the exit code.
    pub async fn exit_code(&mut self) -> i32 {
        self.exit_code_within(SOON).await
    }

    /// Waits likewise, for what has much to do.
    pub async fn exit_code_within(&mut self, patience: Duration) -> i32 {
        let deadline = tokio::time::Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.exited() {
                break status;
            }
            assert!(tokio::time::Instant::now() < deadline, "it does not end\n{}", self.said());
            tokio::time::sleep(PAUSE).await;
        };
        until("the end of the output", async || {
            (self.stdout.complete() && self.stderr.complete()).then_some(())
        })
        .await;
        status.code().unwrap_or_else(|| panic!("{status}\n{}", self.said()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came out of a pipe so far.
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Captured {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let reader = std::thread::spawn({
            let bytes = Arc::clone(&bytes);
            move || {
                let mut chunk = [0; 4_096];
                while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                    bytes.lock().expect("no reader panics").extend_from_slice(&chunk[..count]);
                }
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no reader panics")).into_owned()
    }

    fn complete(&self) -> bool {
        self.reader.is_finished()
    }
}
