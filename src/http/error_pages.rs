//! Errors on paths that people see in a browser.
use poem::Response;

use crate::base::Error;

/// Shows people what went wrong, where a path is for people. The pages implement it; this folder knows none.
pub trait ErrorPages: Send + Sync {
    /// The page, if there is one for this path. `languages`: an `Accept-Language`.
    fn page(&self, path: &str, languages: &str, error: &Error) -> Option<Response>;
}
