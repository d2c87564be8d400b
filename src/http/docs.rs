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

/// Script and style of the viewer, cut out of the one page that the framework makes of them; made when someone
/// looks, for they are larger than all else in memory.
static ASSETS: OnceLock<(bytes::Bytes, bytes::Bytes)> = OnceLock::new();

/// The routes of the page, to be nested at `/docs`. `render` makes the framework's page.
pub fn routes(render: impl Fn() -> String + Send + Sync + Clone + 'static) -> Route {
    let for_style = render.clone();
    Route::new()
        .at("/", get(page()))
        .at("/start.js", get(make_sync(|_| asset("text/javascript; charset=utf-8", START.into()))))
        .at("/viewer.js", get(make_sync(move |_| asset("text/javascript; charset=utf-8", assets(&render).0))))
        .at("/viewer.css", get(make_sync(move |_| asset("text/css; charset=utf-8", assets(&for_style).1))))
}

fn page() -> impl Endpoint {
    make_sync(|_| {
        Response::builder()
            .header(CONTENT_TYPE, "text/html; charset=utf-8")
            .header(CONTENT_SECURITY_POLICY, POLICY)
            .body(PAGE)
    })
}

fn asset(content_type: &'static str, body: bytes::Bytes) -> Response {
    Response::builder().header(CONTENT_TYPE, content_type).header(CACHE_CONTROL, ONE_DAY).body(body)
}

fn assets(render: &impl Fn() -> String) -> (bytes::Bytes, bytes::Bytes) {
    let made = || {
        let page = bytes::Bytes::from(render());
        (
            between(&page, "<script charset=\"UTF-8\">", "</script>"),
            between(&page, "<style charset=\"UTF-8\">", "</style>"),
        )
    };
    ASSETS.get_or_init(made).clone()
}

fn between(page: &bytes::Bytes, open: &str, close: &str) -> bytes::Bytes {
    let text = std::str::from_utf8(page).unwrap_or_default();
    let Some(start) = text.find(open).map(|at| at + open.len()) else { return bytes::Bytes::new() };
    let end = text[start..].find(close).map_or(start, |length| start + length);
    page.slice(start..end)
}
