//! The raw limit of HTTP: hyper as it comes, answering every request with the same bytes.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::fs;
use std::io;
use std::net::Ipv4Addr;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, server::conn::http1};
use hyper_util::rt::TokioIo;
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::net::{TcpListener, TcpStream};

use crate::wire::Answer;

/// The argument that makes this program a bare server: it takes a file with an answer, and a port.
pub const FLAG: &str = "--serve-bytes";

/// Serves the answer in a file until the process is killed.
pub fn serve(answer: &str, port: &str) -> io::Result<()> {
    // Nobody else would end it if the benchmark were killed.
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let port = port.parse().map_err(io::Error::other)?;
    let template: &'static Template = Box::leak(Box::new(Template::read(&fs::read(answer)?)?));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(converse(stream, template));
        }
    })
}

async fn converse(stream: TcpStream, template: &'static Template) {
    let service =
        service_fn(|_: Request<hyper::body::Incoming>| async { Ok::<_, Infallible>(template.answer()) });
    let mut builder = http1::Builder::new();
    builder.auto_date_header(template.dated);
    // A client that hangs up is no concern of a server that knows nothing else.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// An answer taken apart, so that hyper can put it together again.
struct Template {
    status: StatusCode,
    headers: HeaderMap,
    dated: bool,
    body: Bytes,
}

impl Template {
    fn read(bytes: &[u8]) -> io::Result<Self> {
        let answer = Answer::parse(bytes)?;
        let status = StatusCode::from_u16(answer.status).map_err(io::Error::other)?;
        let body = Bytes::copy_from_slice(answer.body);
        let mut template = Self { status, headers: HeaderMap::new(), dated: false, body };
        for (name, value) in answer.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
            match name.as_str() {
                // Both are hyper's own to write.
                "date" => template.dated = true,
                "content-length" => {}
                _ => {
                    let value = HeaderValue::from_str(value).map_err(io::Error::other)?;
                    template.headers.append(name, value);
                }
            }
        }
        Ok(template)
    }

    fn answer(&self) -> Response<Once> {
        let mut response = Response::new(Once(Some(self.body.clone())));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// A body of one frame.
struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
