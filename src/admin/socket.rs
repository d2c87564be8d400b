//! The Unix socket in the data directory: its file is the permission.
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader as AsyncReader};
use tokio::net::{UnixListener, UnixStream};

use super::{Admin, Answer, Command};
use crate::base::{Error, Result};

/// The socket's name in the data directory.
pub const FILE_NAME: &str = "admin.sock";
/// No command is longer.
const MAX_LINE: u64 = 1 << 20;
/// How long a supervisor waits to hear that a server is well.
const PATIENCE_FOR_HEALTH: Duration = Duration::from_secs(5);
/// No other command takes so long, but for `check`, which reads a whole store.
const PATIENCE: Duration = Duration::from_secs(60);

/// Listens in a data directory whose store this process has locked: a socket that is there is a dead one's.
///
/// # Errors
/// `Error::Unavailable` when the system refuses.
pub fn listen(data_dir: &Path) -> Result<UnixListener> {
    let describe =
        |cause: std::io::Error| Error::unavailable(format!("cannot listen on {FILE_NAME}: {cause}"));
    let directory = File::open(data_dir).map_err(describe)?;
    let path = path_in(data_dir, &directory);
    if let Err(cause) = fs::remove_file(&path)
        && cause.kind() != ErrorKind::NotFound
    {
        return Err(describe(cause));
    }
    let listener = UnixListener::bind(&path).map_err(describe)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(describe)?;
    Ok(listener)
}

/// Where the socket is, in at most so many bytes as the address of a socket may have. A path through the open directory
/// is short wherever that lies, and needs /proc; so it is taken only where the plain one is too long.
fn path_in(data_dir: &Path, open: &File) -> PathBuf {
    const MOST: usize = 107;
    let plain = data_dir.join(FILE_NAME);
    if plain.as_os_str().len() <= MOST {
        return plain;
    }
    Path::new("/proc/self/fd").join(open.as_raw_fd().to_string()).join(FILE_NAME)
}

/// Answers commands until the task is dropped.
pub async fn serve(listener: UnixListener, admin: Admin) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let admin = admin.clone();
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &admin).await {
                        tracing::debug!(?error, "an administration connection ended early");
                    }
                });
            }
            Err(cause) => {
                tracing::warn!(%cause, "the administration socket does not accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, admin: &Admin) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = AsyncReader::new(reader.take(MAX_LINE));
    let mut line = String::new();
    lines.read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Command>(&line) {
        Ok(command) => admin.answer(command).await,
        Err(_) => Answer::Refused {
            code: "MALFORMED_REQUEST".to_owned(),
            field: None,
            message: "The server does not know this command; are both of the same version?".to_owned(),
        },
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    writer.write_all(&text).await?;
    writer.shutdown().await
}

/// Asks the server of a data directory; `None` when none runs there.
///
/// # Errors
/// `Error::Unavailable` when it runs and does not answer.
pub fn ask(data_dir: &Path, command: &Command) -> Result<Option<Answer>> {
    let Ok(directory) = File::open(data_dir) else { return Ok(None) };
    let path = path_in(data_dir, &directory);
    let Ok(mut stream) = BlockingStream::connect(&path) else { return Ok(None) };
    let failed = |cause: std::io::Error| {
        let late = cause.kind() == ErrorKind::WouldBlock;
        let cause = if late { "it takes too long".to_owned() } else { cause.to_string() };
        Error::unavailable(format!("the server did not answer: {cause}"))
    };
    stream.set_read_timeout(patience(command)).map_err(failed)?;
    let mut text = serde_json::to_vec(command).map_err(Error::internal)?;
    text.push(b'\n');
    stream.write_all(&text).map_err(failed)?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).map_err(failed)?;
    if line.is_empty() {
        return Err(Error::unavailable("the server went away before it answered"));
    }
    serde_json::from_str(&line)
        .map(Some)
        .map_err(|cause| Error::unavailable(format!("no answer of ours: {cause}")))
}

fn patience(command: &Command) -> Option<Duration> {
    match command {
        Command::Check => None,
        Command::Health => Some(PATIENCE_FOR_HEALTH),
        _ => Some(PATIENCE),
    }
}
