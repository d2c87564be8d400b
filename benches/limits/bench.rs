//! What all rows share: the options, a scratch directory and the ways to start a server in it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::bare;
use crate::options::Options;
use crate::process::{Server, free_address};
use crate::wire::Connection;

/// The counter behind the rate limit must run, but never refuse; and no row is about refused connections.
const SETTINGS: [(&str, &str); 2] =
    [("AUTH_RATE_LIMIT__REQUESTS_PER_HOUR", "1000000000"), ("AUTH_HTTP__MAX_CONNECTIONS", "20000")];

/// Makes hashing next to free, and refuses nobody, for the rows in which the users only have to be there.
pub const WEAK_HASHES: [(&str, &str); 3] = [
    ("AUTH_PASSWORD__MEMORY_KIB", "8"),
    ("AUTH_PASSWORD__ITERATIONS", "1"),
    ("AUTH_PASSWORD__QUEUE", "1000"),
];

/// One run of the benchmark.
pub struct Bench {
    /// What the caller asked for.
    pub options: Options,
    /// The release binary.
    pub binary: PathBuf,
    scratch: TempDir,
}

impl Bench {
    /// Makes the scratch directory, beside the build output: a temporary file system might be in memory,
    /// and a commit there costs nothing.
    pub fn new(options: Options) -> io::Result<Self> {
        let binary =
            std::env::var_os("AUTH_BENCH_BINARY").unwrap_or(env!("CARGO_BIN_EXE_auth-service").into());
        let scratch = TempDir::with_prefix_in("limits-", env!("CARGO_TARGET_TMPDIR"))?;
        Ok(Self { options, binary: fs::canonicalize(binary)?, scratch })
    }

    /// A path in the scratch directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Starts the service on a data directory of this name, with its default settings and these.
    pub fn start(&self, data: &str, settings: &[(&str, &str)]) -> io::Result<Server> {
        let address = free_address()?;
        let path = self.path("server.log");
        let log = File::create(&path)?;
        let mut command = self.command(data);
        command
            .args(["serve", "--listen", &address.to_string()])
            .envs(SETTINGS)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Server::start(&mut command, address).map_err(|error| with_log(&error, &path))
    }

    /// The service's program, on a data directory of this name.
    pub fn command(&self, data: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--data-dir").arg(self.path(data)).env_clear().current_dir(self.scratch.path());
        command
    }

    /// Starts a bare hyper server that gives the answer which `server` gives to this request.
    pub async fn start_bare(&self, server: &Server, request: &[u8]) -> io::Result<Server> {
        let mut connection = Connection::open(server.address).await?;
        let answer = connection.exchange(request).await?;
        if answer.status != 200 {
            return Err(answer.unexpected(200));
        }
        let file = self.path("answer");
        fs::write(&file, answer.bytes())?;
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(bare::FLAG).arg(&file).arg(address.port().to_string());
        Server::start(&mut command, address)
    }
}

fn with_log(error: &io::Error, log: &Path) -> io::Error {
    let text = fs::read_to_string(log).unwrap_or_default();
    io::Error::other(format!("{error}: {}", text.lines().last().unwrap_or_default()))
}
