//! The parameters of an authorization request, as they came. Pure.
use std::collections::BTreeMap;

use super::request::Refusal;

/// Names and values; of one that came twice, that it did (RFC 6749 section 3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    values: BTreeMap<String, String>,
    /// The one parameter that may come several times (RFC 8707 section 2).
    pub resources: Vec<String>,
    pub repeated: Option<String>,
    pub origin: Origin,
    /// Where a page leads in the end that no client has asked for: to something behind a proxy.
    pub leads_to: Option<String>,
}

/// How a request has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The reference that it is kept under (`request_uri`), if it is kept.
    pub kept_as: Option<String>,
    /// From its client itself (RFC 9126).
    pub is_pushed: bool,
    /// Signed by its client (RFC 9101).
    pub is_signed: bool,
    /// What is wrong with what its client has signed.
    pub broken: Option<Refusal>,
}

impl Parameters {
    /// Reads a query string, or the body of a form: they look alike. One without a value was left out.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut all = Self::default();
        for (name, value) in form_urlencoded::parse(text).filter(|(_, value)| !value.is_empty()) {
            if name == "resource" {
                all.resources.push(value.into_owned());
            } else if all.values.insert(name.to_string(), value.into_owned()).is_some() {
                all.repeated.get_or_insert(name.into_owned());
            }
        }
        all
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub fn set(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), value);
    }

    pub fn remove(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// The same request as a query string, without parameters that are this server's own. Of one that is kept, its reference.
    #[must_use]
    pub fn to_query(&self, without: &[&str]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(uri) = &self.origin.kept_as {
            let client = self.get("client_id").unwrap_or_default();
            return query.append_pair("client_id", client).append_pair("request_uri", uri).finish();
        }
        for (name, value) in self.values.iter().filter(|(name, _)| !without.contains(&name.as_str())) {
            query.append_pair(name, value);
        }
        self.resources.iter().for_each(|uri| {
            query.append_pair("resource", uri);
        });
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_comes_twice_is_told_and_what_is_empty_was_left_out() {
        let all = Parameters::parse(b"a=1&b=&c=x%20y&a=2&resource=https://a&resource=https://b");
        assert_eq!((all.get("b"), all.get("c"), all.repeated.as_deref()), (None, Some("x y"), Some("a")));
        assert_eq!(all.resources.len(), 2);
    }

    proptest! {
        #[test]
        fn a_request_is_the_same_after_a_detour(pairs in prop::collection::btree_map("[a-z_]{1,8}", "\\PC{1,12}", 0..6)) {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let all = Parameters::parse(text.as_bytes());
            prop_assert_eq!(Parameters::parse(all.to_query(&[]).as_bytes()), all);
        }
    }
}
