//! An accept loop that stands on the open internet: bounded connections, time limits on what clients send, calm
//! when file descriptors run out, HTTP/1.1 and HTTP/2, and an end.
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::connections::{Connection, Connections, Guard};
use crate::config::Http;

/// How long to wait when the system refuses to accept, instead of asking again at once for ever.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a request's head.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_STREAMS: u32 = 128;

/// Serves `endpoint` until `stop` says so, then gives running requests their time and closes the rest.
pub async fn serve<E>(tcp: TcpListener, endpoint: Arc<E>, limits: Http, mut stop: watch::Receiver<bool>)
where
    E: Endpoint<Output = Response> + 'static,
{
    let connections = Connections::new(limits.max_connections);
    let grace = Duration::from_secs(limits.shutdown_timeout_secs);
    let server = Arc::new(Server { endpoint, builder: builder(), limits, stop: stop.clone() });
    let local = tcp.local_addr().ok();
    loop {
        let accepted = tokio::select! {
            accepted = tcp.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Nobody idle and no place left: the client hears a closed connection.
                if let Some(guard) = connections.admit() {
                    tokio::spawn(Arc::clone(&server).connection(stream, (local, peer), guard));
                }
            }
            Err(cause) => {
                tracing::warn!(%cause, "cannot accept connections");
                connections.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(tcp);
    if tokio::time::timeout(grace, connections.all_closed()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The connection's own watch (`Server::connection`) bounds the time for a head at no cost per request.
    builder.http1().header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32);
    builder
}

struct Server<E> {
    endpoint: Arc<E>,
    builder: Builder<TokioExecutor>,
    limits: Http,
    stop: watch::Receiver<bool>,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    /// One connection from its first byte to its end.
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        (local, peer): (Option<SocketAddr>, SocketAddr),
        guard: Guard,
    ) {
        if let Err(cause) = stream.set_nodelay(true) {
            tracing::debug!(%cause, "a connection keeps its delay");
        }
        let connection = Arc::clone(&guard.0);
        let (server, of_requests) = (Arc::clone(&self), Arc::clone(&connection));
        let service = service_fn(move |request| {
            let (server, running) = (Arc::clone(&server), of_requests.begin());
            // hyper keeps room for this future as long as the connection is open: boxed, that is room for a pointer.
            Box::pin(async move {
                let request = received(request, local, peer);
                let response = server.endpoint.call(request).await;
                drop(running);
                Ok::<_, Infallible>(hyper::Response::from(
                    response.unwrap_or_else(poem::Error::into_response),
                ))
            })
        });
        let mut serving = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let mut stop = self.stop.clone();
        let mut stopping = false;
        let mut watch = pin!(self.watch(&connection));
        loop {
            tokio::select! {
                _ = serving.as_mut() => return,
                () = watch.as_mut() => return,
                () = connection.evicted.notified() => return,
                _ = stop.wait_for(|stop| *stop), if !stopping => {
                    stopping = true;
                    serving.as_mut().graceful_shutdown();
                    // A connection that has sent nothing has nothing to finish.
                    if !connection.is_busy() && !connection.has_served() {
                        return;
                    }
                }
            }
        }
    }

    /// Returns when a connection has been without a request for too long: silent, or slow to send a head.
    async fn watch(&self, connection: &Connection) {
        loop {
            let limit = if connection.has_served() {
                self.limits.idle_timeout_secs
            } else {
                self.limits.header_timeout_secs
            };
            let limit = limit.saturating_mul(1_000_000);
            let idle = if connection.is_busy() { 0 } else { connection.idle_micros() };
            if idle >= limit {
                return;
            }
            // Meanwhile the other limit may come to hold.
            let most = self.limits.idle_timeout_secs.saturating_mul(1_000_000);
            tokio::time::sleep(Duration::from_micros((limit - idle).min(most))).await;
        }
    }
}

fn received(request: hyper::Request<Incoming>, local: Option<SocketAddr>, peer: SocketAddr) -> Request {
    let local = local.map_or_else(LocalAddr::default, |address| LocalAddr(Addr::SocketAddr(address)));
    (request, local, RemoteAddr(Addr::SocketAddr(peer)), Scheme::HTTP).into()
}
