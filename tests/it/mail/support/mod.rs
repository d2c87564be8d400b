//! A mail server that does what a test says. RFC 5321, as much as one client needs.
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::mail::Mail;
use crate::support::Setup;

/// What it does with the next mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Takes,
    /// Answers a recipient with this code.
    Says(u16),
    /// Takes connections and says nothing.
    Hangs,
    /// Takes connections and closes them.
    Closes,
    /// Closes instead of saying that it has the mail.
    ClosesAfterData,
}

pub struct MailServer {
    pub port: u16,
    mode: Arc<Mutex<Mode>>,
    taken: Arc<Mutex<Vec<Mail>>>,
    connections: Arc<Mutex<usize>>,
    task: JoinHandle<()>,
}

impl MailServer {
    pub async fn start() -> Self {
        Self::at(0).await
    }

    /// At a port where one was before.
    pub async fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(Mutex::new(Mode::Takes));
        let (taken, connections) = (Arc::<Mutex<Vec<Mail>>>::default(), Arc::<Mutex<usize>>::default());
        let (for_mode, for_taken, for_count) = (mode.clone(), taken.clone(), connections.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *for_count.lock().unwrap() += 1;
                let mode = *for_mode.lock().unwrap();
                let taken = for_taken.clone();
                // A client that goes away in the middle is no failure of the server.
                tokio::spawn(async move { drop(converse(stream, mode, taken).await) });
            }
        });
        Self { port, mode, taken, connections, task }
    }

    pub fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// Everything that was taken since the last time.
    pub fn taken(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.taken.lock().unwrap())
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    /// A server of ours that sends its mails here.
    pub fn setup(&self) -> Setup {
        Setup::default()
            .with("mail.sink", "smtp")
            .with("mail.from", "accounts@id.example")
            .with("mail.smtp_host", "127.0.0.1")
            .with("mail.smtp_port", &self.port.to_string())
            .with("mail.smtp_security", "none")
            .with("mail.smtp_timeout_secs", "1")
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, mode: Mode, taken: Arc<Mutex<Vec<Mail>>>) -> std::io::Result<()> {
    if mode == Mode::Closes {
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader);
    if mode == Mode::Hangs {
        let mut line = String::new();
        lines.read_line(&mut line).await?;
        return std::future::pending().await;
    }
    writer.write_all(b"220 mail.example ESMTP\r\n").await?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let command = line.to_uppercase();
        let answer = match (command.get(..4).unwrap_or_default(), mode) {
            ("EHLO", _) => "250-mail.example\r\n250 8BITMIME".to_owned(),
            ("RCPT", Mode::Says(code)) => format!("{code} about {}", line.trim_end()),
            ("DATA", _) => "354 go on".to_owned(),
            ("QUIT", _) => "221 bye".to_owned(),
            _ => "250 fine".to_owned(),
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if command.starts_with("DATA") {
            let mail = data(&mut lines).await?;
            if mode == Mode::ClosesAfterData {
                return Ok(());
            }
            taken.lock().unwrap().push(Mail::parse(&mail));
            writer.write_all(b"250 taken\r\n").await?;
        }
    }
}

async fn data(lines: &mut BufReader<tokio::net::tcp::OwnedReadHalf>) -> std::io::Result<String> {
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(mail);
        }
        mail.push_str(line.strip_prefix("..").map_or(&*line, |_| &line[1..]));
    }
}
