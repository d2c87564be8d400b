//! The program in a directory of a test's own.
mod people;
mod server;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub use people::Tokens;
pub use server::Server;

/// Good for every user of every test.
pub const PASSWORD: &str = "correct horse 81 battery";
/// How long a test waits for what should have happened long before.
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(5);

/// A data directory, and the settings with which the program runs on it.
pub struct Place {
    root: TempDir,
    pub data_dir: PathBuf,
    settings: Vec<(String, String)>,
}

/// What a command came to.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    /// Small hashes, no rate limit, and one public URL whatever port a server gets.
    pub fn new() -> Self {
        Self::bare()
            .with("password.memory_kib", "8")
            .with("password.iterations", "1")
            .with("password.threads", "2")
            .with("rate_limit.requests_per_hour", "0")
            .with("public_url", "http://id.test")
    }

    /// Without any setting.
    pub fn bare() -> Self {
        let root = tempfile::tempdir().unwrap();
        let data_dir = root.path().join("data");
        Self { root, data_dir, settings: Vec::new() }
    }

    /// Another value for a setting, in the environment.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        let variable = format!("AUTH_{}", key.replace('.', "__").to_uppercase());
        self.settings.retain(|(name, _)| *name != variable);
        self.settings.push((variable, value.to_owned()));
        self
    }

    /// The same place with the data directory at another path below it.
    pub fn in_directory(self, below: &str) -> Self {
        Self { data_dir: self.root.path().join(below), ..self }
    }

    /// A file beside the data directory.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A file of the data directory.
    pub fn inside(&self, name: &str) -> PathBuf {
        self.data_dir.join(name)
    }

    /// The permissions of a file of the data directory.
    pub fn mode(&self, name: &str) -> u32 {
        mode(&self.inside(name))
    }

    /// The program on this data directory.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bare_command(args);
        command.arg("--data-dir").arg(&self.data_dir);
        command
    }

    /// The program as somebody runs it who names no data directory.
    pub fn bare_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth-service"));
        // Whoever runs the tests may have settings of their own.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AUTH_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.root.path()).envs(self.settings.iter().cloned()).args(args);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        finish(self.command(args), "")
    }

    /// Runs a command to its end, with something on its standard input.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Outcome {
        finish(self.command(args), input)
    }

    /// What a command prints with `--json`.
    pub fn json(&self, args: &[&str]) -> Value {
        self.run(args).json()
    }

    /// Makes a user with [`PASSWORD`].
    pub fn create(&self, name: &str, more: &[&str]) -> Value {
        let email = format!("{name}@example.com");
        let mut args =
            vec!["--json", "user", "create", "--username", name, "--email", &email, "--password-stdin"];
        args.extend(more);
        self.run_with_input(&args, &format!("{PASSWORD}\n")).json()
    }

    pub fn start(&self) -> Server {
        Server::start(self.command(&["--listen", "127.0.0.1:0"]))
    }
}

impl Outcome {
    /// The output of a command that has worked, as text.
    pub fn text(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// The output of a command that has worked, as JSON.
    pub fn json(self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// What a command that has not worked says, after checking its exit code.
    pub fn refusal(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        self.err
    }
}

/// Runs a command to its end and gives it up if there is none.
pub fn finish(mut command: Command, input: &str) -> Outcome {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    if exit_code(&mut child).is_none() {
        child.kill().unwrap();
        panic!("{command:?} does not end");
    }
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

/// Waits for the end of a process; -1 when a signal ended it, `None` when nothing did.
fn exit_code(child: &mut Child) -> Option<i32> {
    for _ in 0..PATIENCE.as_millis() / GLANCE.as_millis() {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        thread::sleep(GLANCE);
    }
    None
}

/// The permissions of a file.
pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
