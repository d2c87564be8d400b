//! The path of the public URL, where a proxy leaves it before or behind what is asked for. Pure.
use poem::http::Uri;

/// A URI without the path of the public URL; none if that is not in it.
#[must_use]
pub fn without(uri: &Uri, prefix: &str) -> Option<Uri> {
    let path = uri.path();
    let below = path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'));
    // What is well known of a host stands before the path (RFC 8414 section 3.1).
    let of_host = || path.strip_suffix(prefix).filter(|rest| rest.starts_with("/.well-known/"));
    let path = below.or_else(of_host)?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{path}{query}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_before_paths_and_behind_what_is_well_known() {
        let of = |text: &str| without(&text.parse().unwrap(), "/id").map(|uri| uri.to_string());
        assert_eq!(of("/id/auth/me?x=1").as_deref(), Some("/auth/me?x=1"));
        assert_eq!(of("/.well-known/a/id?x").as_deref(), Some("/.well-known/a?x"));
        for other in ["/identity", "/id", "/auth/id", "/.well-known/aid/", "/"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
