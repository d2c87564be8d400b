//! Which methods each path takes.
use poem::http::Method;

use super::routes::Operations;

/// In the order in which `Allow` lists them.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Which methods each path takes.
pub struct AllowTable(Vec<(Vec<String>, String)>);

impl AllowTable {
    /// From the operations, and what is read beside them.
    #[must_use]
    pub fn new(operations: &Operations) -> Self {
        let mut table: Vec<_> = [("/openapi.json", "GET, HEAD"), ("/docs", "GET, HEAD")]
            .map(|(path, methods)| (split(path), methods.to_owned()))
            .into();
        for (path, by_method) in operations {
            let taken = METHODS.iter().filter(|method| by_method.contains_key(*method));
            let mut methods: Vec<_> = taken.map(Method::as_str).collect();
            if methods.first() == Some(&"GET") {
                methods.push("HEAD");
            }
            methods.push("OPTIONS");
            table.push((split(path), methods.join(", ")));
        }
        Self(table)
    }

    /// The methods of a path, as `Allow` lists them.
    #[must_use]
    pub fn methods(&self, path: &str) -> &str {
        self.find(path).unwrap_or("GET, HEAD")
    }

    /// Whether a path is one of an operation's.
    #[must_use]
    pub fn knows(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    fn find(&self, path: &str) -> Option<&str> {
        let path = split(path);
        let matches = |template: &[String]| {
            let same = |(part, given): (&String, &String)| part.starts_with(':') || part == given;
            template.len() == path.len() && template.iter().zip(&path).all(same)
        };
        // A path of its own comes before one that has room for anything: `/users/import` is no id.
        let exact = self.0.iter().find(|(template, _)| *template == path);
        let found = exact.or_else(|| self.0.iter().find(|(template, _)| matches(template)));
        found.map(|(_, methods)| methods.as_str())
    }
}

fn split(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}
