//! Where reverse proxies ask whether a request may pass. What comes there is another request's: its method, its cookies, its
//! credentials are not for this server, and nothing of them is judged as if they were.

use poem::Request;

/// Asked with `X-Forwarded-…` headers.
pub const ASK: &str = "/auth/forward";
/// Asked with `X-Original-…` headers, and answered without redirects.
pub const ASK_NGINX: &str = "/auth/forward/nginx";
/// Asked with the request's own method and host, its path behind this.
pub const ASK_AT: &str = "/auth/forward/at";

/// The page on which browsers sign in for what is behind a proxy: people see it.
pub const SIGN_IN: &str = "/auth/forward/sign-in";

/// What says where that page leads back to.
pub const RETURN_TO: &str = "return_to";

/// Whether a path is one where proxies ask.
#[must_use]
pub fn is_forward(path: &str) -> bool {
    path.strip_prefix(ASK).is_some_and(|rest| match rest {
        "" | "/nginx" | "/at" => true,
        rest => rest.starts_with("/at/"),
    })
}

/// Whether a request is a question of a proxy's.
#[must_use]
pub fn is_asked(request: &Request) -> bool {
    is_forward(request.uri().path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_other_paths_are_none() {
        for path in [ASK, ASK_NGINX, ASK_AT, "/auth/forward/at/", "/auth/forward/at/auth/me"] {
            assert!(is_forward(path), "{path}");
        }
        for path in
            ["/auth/forward/", "/auth/forwards", "/auth/forward/sign-in", "/auth/forward/nginx/x", "/"]
        {
            assert!(!is_forward(path), "{path}");
        }
    }
}
