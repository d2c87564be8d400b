//! The interactive page at `/docs`. Its assets are in the binary, so it works without a network; its scripts are
//! files of this server, so that the page can forbid every other one.
use std::sync::OnceLock;

use poem::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use poem::{Endpoint, Response, Route, endpoint::make_sync, get};

const PAGE: &str = include_str!("docs/index.html");
const START: &str = include_str!("docs/start.js");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// Assets change with the program alone.
const ONE_DAY: &str = "public, max-age=86400";

/// The script of the viewer, cut out of the one page that the framework makes of it; made when someone looks, for it is
/// larger than nearly all else in memory.
static VIEWER: OnceLock<bytes::Bytes> = OnceLock::new();

/// The routes of the page, to be nested at `/docs`. `render` makes the framework's page.
pub fn routes(render: impl Fn() -> String + Send + Sync + 'static) -> Route {
    Route::new()
        .at("/", get(page()))
        .at("/start.js", get(make_sync(|_| script(START.into()))))
        .at("/viewer.js", get(make_sync(move |_| script(viewer(&render)))))
}

fn page() -> impl Endpoint {
    make_sync(|_| {
        Response::builder()
            .header(CONTENT_TYPE, "text/html; charset=utf-8")
            .header(CONTENT_SECURITY_POLICY, POLICY)
            .body(PAGE)
    })
}

fn script(body: bytes::Bytes) -> Response {
    Response::builder()
        .header(CONTENT_TYPE, "text/javascript; charset=utf-8")
        .header(CACHE_CONTROL, ONE_DAY)
        .body(body)
}

fn viewer(render: &impl Fn() -> String) -> bytes::Bytes {
    let made = || between(&render().into(), "<script charset=\"UTF-8\">", "</script>\n</head>");
    VIEWER.get_or_init(made).clone()
}

fn between(page: &bytes::Bytes, open: &str, close: &str) -> bytes::Bytes {
    let text = std::str::from_utf8(page).unwrap_or_default();
    let Some(start) = text.find(open).map(|at| at + open.len()) else { return bytes::Bytes::new() };
    let end = text[start..].find(close).map_or(start, |length| start + length);
    page.slice(start..end)
}
