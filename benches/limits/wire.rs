//! HTTP/1.1 as the load generator speaks it: prebuilt bytes out, one answer of known length back.
//!
//! It takes as little of the shared cores as possible, so it understands only what the servers here send.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One answer, borrowed from the connection's buffer.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The status line and the headers, with the empty line that ends them.
    head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Reads an answer from bytes that hold it whole.
    pub fn parse(bytes: &'a [u8]) -> io::Result<Self> {
        let end = head_end(bytes).ok_or_else(|| invalid("an answer without end of headers"))?;
        let (head, body) = bytes.split_at(end);
        Ok(Self { status: status(head)?, head, body })
    }

    /// The headers, in order; the status line is left out.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let text = core::str::from_utf8(self.head).unwrap_or_default();
        text.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
    }

    /// An error that shows this answer, for when another status was expected.
    pub fn unexpected(&self, wanted: u16) -> io::Error {
        let body = String::from_utf8_lossy(self.body);
        io::Error::other(format!("answer {} instead of {wanted}: {body}", self.status))
    }

    /// The answer as it came over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head, self.body].concat()
    }
}

/// A kept-alive connection with at most one request under way.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to a server.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 8 << 10] })
    }

    /// Sends a request and waits for its whole answer.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let end = loop {
            filled += self.read(filled).await?;
            if let Some(end) = head_end(&self.buffer[..filled]) {
                break end;
            }
        };
        let total = end + content_length(&self.buffer[..end])?;
        while filled < total {
            filled += self.read(filled).await?;
        }
        let (head, body) = self.buffer[..total].split_at(end);
        Ok(Answer { status: status(head)?, head, body })
    }

    async fn read(&mut self, filled: usize) -> io::Result<usize> {
        if filled == self.buffer.len() {
            self.buffer.resize(filled * 2, 0);
        }
        match self.stream.read(&mut self.buffer[filled..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn status(head: &[u8]) -> io::Result<u16> {
    let digits = head.get(9..12).and_then(|digits| core::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| invalid("an answer without status"))
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    const NAME: &[u8] = b"content-length:";
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME));
    let value = line.and_then(|line| core::str::from_utf8(&line[NAME.len()..]).ok());
    let length = value.and_then(|value| value.trim().parse().ok());
    length.ok_or_else(|| invalid("an answer without Content-Length"))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
