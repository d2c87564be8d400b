//! Requests of the server to others: where they go, and that nothing that comes back holds them up.
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_service::outbound::{Failure, Networks, Outbound};
use bytes::Bytes;
use hyper::Request;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const MAX: usize = 1000;

fn outbound(allowed: &[&str]) -> Outbound {
    let networks = allowed.iter().map(|text| text.parse().unwrap()).collect();
    Outbound::new(Networks::new(networks), Duration::from_secs(2), None).unwrap()
}

async fn get(outbound: &Outbound, url: &str) -> Result<hyper::Response<Bytes>, Failure> {
    outbound.send(Request::get(url).body(Bytes::new()).unwrap(), MAX).await
}

/// A server that says one thing to each connection, and keeps it open; and what it heard.
async fn says(answer: &'static [u8]) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hear) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 4096];
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                let _ = heard.send(String::from_utf8_lossy(&buffer[..read]).into_owned());
                let _ = stream.write_all(answer).await;
                let _ = stream.read(&mut buffer).await;
            });
        }
    });
    (address, hear)
}

#[tokio::test]
async fn an_answer_comes_back_as_it_is_even_one_that_leads_elsewhere() {
    let (address, mut heard) =
        says(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 2\r\n\r\nhi").await;
    let answer = get(&outbound(&["127.0.0.1/32"]), &format!("http://{address}/a/b?c=d")).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.body().as_ref(), b"hi");
    let said = heard.recv().await.unwrap().to_lowercase();
    assert!(said.starts_with("get /a/b?c=d http/1.1\r\n"), "{said}");
    assert!(said.contains(&format!("host: {address}\r\n")), "{said}");
    assert!(said.contains("user-agent: auth-service/"), "{said}");
}

#[tokio::test]
async fn nothing_leads_into_a_network_that_was_not_named() {
    let (address, mut heard) = says(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let port = address.port();
    let outbound = outbound(&["10.99.0.0/16"]);
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
        "127.0.0.1.",
    ] {
        for scheme in ["http", "https"] {
            let failure = get(&outbound, &format!("{scheme}://{host}:{port}/")).await.unwrap_err();
            assert!(matches!(failure, Failure::Address | Failure::Url), "{scheme} {host}: {failure:?}");
        }
    }
    assert!(heard.try_recv().is_err(), "somebody came");
}

#[tokio::test]
async fn a_url_with_a_password_or_of_another_scheme_is_none() {
    let outbound = outbound(&["127.0.0.0/8"]);
    for url in ["http://user@127.0.0.1/", "http://user:secret@127.0.0.1/", "ftp://127.0.0.1/", "/path"] {
        assert_eq!(get(&outbound, url).await.unwrap_err(), Failure::Url, "{url}");
    }
}

#[tokio::test]
async fn by_plain_http_it_goes_only_where_a_network_was_named() {
    assert_eq!(get(&outbound(&[]), "http://192.88.99.1/").await.unwrap_err(), Failure::Url);
    // One of the internet, which is not asked.
    assert_eq!(get(&outbound(&["127.0.0.1/32"]), "http://8.8.8.8/").await.unwrap_err(), Failure::Address);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read_to_its_end() {
    let outbound = outbound(&["127.0.0.1/32"]);
    let (announced, _) = says(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\nx").await;
    let (endless, _) = says([b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'x'; 5000]].concat().leak()).await;
    for address in [announced, endless] {
        let failure = get(&outbound, &format!("http://{address}/")).await.unwrap_err();
        assert!(matches!(failure, Failure::TooLarge | Failure::Timeout), "{failure:?}");
    }
    assert_eq!(get(&outbound, &format!("http://{endless}/")).await.unwrap_err(), Failure::TooLarge);
}

#[tokio::test]
async fn what_does_not_end_is_not_waited_for() {
    let outbound = outbound(&["127.0.0.1/32"]);
    let (silent, _) = says(b"").await;
    let (half, _) = says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    for address in [silent, half] {
        assert_eq!(get(&outbound, &format!("http://{address}/")).await.unwrap_err(), Failure::Timeout);
    }
}

#[tokio::test]
async fn what_is_no_http_and_a_head_without_end_are_refused() {
    let outbound = outbound(&["127.0.0.1/32"]);
    let (nonsense, _) = says(b"hello, I speak no HTTP at all\r\n\r\n").await;
    let head = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &vec![b'x'; 100_000]].concat().leak();
    let (endless, _) = says(head).await;
    for address in [nonsense, endless] {
        assert_eq!(get(&outbound, &format!("http://{address}/")).await.unwrap_err(), Failure::Answer);
    }
}

#[tokio::test]
async fn nobody_listening_is_told_from_not_going_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = get(&outbound(&["127.0.0.1/32"]), &format!("http://{address}/")).await.unwrap_err();
    assert_eq!(failure, Failure::Connection);
}

#[tokio::test]
async fn https_is_for_whoever_has_a_certificate_that_is_trusted_and_names_it() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let networks = Networks::new(vec!["127.0.0.1/32".parse().unwrap(), "::1/128".parse().unwrap()]);
    let trusting = Outbound::new(networks, Duration::from_secs(2), Some(&file)).unwrap();

    let named = tls_server("localhost", &authority).await;
    let other = tls_server("other.example", &authority).await;
    let answer = get(&trusting, &format!("https://localhost:{named}/")).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"safe");
    let refused = get(&trusting, &format!("https://localhost:{other}/")).await.unwrap_err();
    assert_eq!(refused, Failure::Connection, "a certificate for another name");
    let refused =
        get(&outbound(&["127.0.0.1/32"]), &format!("https://localhost:{named}/")).await.unwrap_err();
    assert_eq!(refused, Failure::Connection, "a certificate that nobody trusts");
}

/// The port of a server with a certificate for a name.
async fn tls_server(name: &str, authority: &CertifiedIssuer<'_, KeyPair>) -> u16 {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsafe").await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

#[tokio::test]
async fn a_file_without_certificates_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let refused = Outbound::new(Networks::default(), Duration::from_secs(1), Some(&file)).unwrap_err();
    assert!(format!("{refused:?}").contains("outbound.ca_file"), "{refused:?}");
}
