//! Bytes on a socket, for what no client library would send.
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a test waits for what should have come long before.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// One answer, read by its `Content-Length`.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends, unless the server has closed the connection.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// A request without a body on a connection that stays open.
    pub async fn ask(&mut self, method: &str, path: &str, headers: &[&str]) -> RawAnswer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        self.send(text + "\r\n").await;
        self.answer().await
    }

    /// The sending side is at its end.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next answer.
    pub async fn answer(&mut self) -> RawAnswer {
        let head = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break self.unread.drain(..end + 4).collect::<Vec<_>>();
            }
            let more = self.read_more().await;
            assert!(more, "closed within a head: {:?}", String::from_utf8_lossy(&self.unread));
        };
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HeaderMap = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, HeaderValue::from_str(value.trim()).unwrap())
            })
            .collect();
        let length = headers.get("content-length").map_or(0, |text| text.to_str().unwrap().parse().unwrap());
        while self.unread.len() < length {
            assert!(self.read_more().await, "closed within a body");
        }
        let body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        RawAnswer { status, headers, body }
    }

    /// Waits for the server's end of the connection; gives what came before it.
    pub async fn closed(&mut self) -> String {
        while self.read_more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned()
    }

    /// Whether the server has closed; does not wait for it.
    pub fn is_closed(&self) -> bool {
        let mut one = [0];
        match self.stream.try_read(&mut one) {
            Ok(0) => true,
            Ok(_) => panic!("something came"),
            Err(cause) => cause.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    /// Whether the server closes within a moment.
    pub async fn is_closed_soon(&mut self) -> bool {
        let moment = Duration::from_millis(200);
        matches!(timeout(moment, self.stream.read(&mut [0])).await, Ok(Ok(0) | Err(_)))
    }

    /// False at the end of the connection, a reset included.
    async fn read_more(&mut self) -> bool {
        let mut chunk = vec![0; 16 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut chunk)).await.expect("the server says something");
        let read = read.unwrap_or(0);
        self.unread.extend_from_slice(&chunk[..read]);
        read > 0
    }
}
