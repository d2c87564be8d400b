//! All rules, so that the one for a request is found without looking at the others. Pure.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::host::domains_above;
use super::model::{Person, Reason, Rule, Verdict};
use super::path::{Reading, glob};

/// Rules in order, and where each is found.
#[derive(Debug, Default)]
pub struct RuleBook {
    rules: Vec<Arc<Rule>>,
    /// By the host that they name.
    hosts: HashMap<String, Node, RandomState>,
    /// By the domain below which they hold.
    domains: HashMap<String, Node, RandomState>,
}

/// The rules at a place in the tree of paths.
#[derive(Debug, Default)]
struct Node {
    literal: HashMap<String, Node, RandomState>,
    globs: Vec<(String, Node)>,
    /// Those for this very path, by their places in the order.
    here: Vec<usize>,
    /// Those for it and all below it.
    below: Vec<usize>,
}

/// What is known of a request.
#[derive(Debug)]
pub struct Asked<'a> {
    /// As `host::split` gives it.
    pub host: &'a str,
    pub readings: &'a [Reading<'a>],
    /// Every method that it may be taken for.
    pub methods: &'a [&'a str],
    /// Where it comes from, if the proxy has said so.
    pub address: Option<IpAddr>,
}

/// What the rules say of one reading of a request.
enum Found<'b> {
    Rule(&'b Arc<Rule>),
    Nothing,
    /// It depends on where the request comes from, which nobody knows.
    Unplaced,
}

impl RuleBook {
    #[must_use]
    pub fn new(rules: Vec<Arc<Rule>>) -> Self {
        let mut book = Self::default();
        for (at, rule) in rules.iter().enumerate() {
            let host = &rule.terms.host;
            let root = match host.domain() {
                Some(domain) => book.domains.entry(domain.to_owned()).or_default(),
                None => book.hosts.entry(host.as_str().to_owned()).or_default(),
            };
            for path in &rule.terms.paths {
                let (segments, below) = path.parts();
                root.insert(&segments, below, at);
            }
        }
        book.rules = rules;
        book
    }

    /// All of them, in order.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// Whether any rule is for a host.
    #[must_use]
    pub fn knows(&self, host: &str) -> bool {
        self.hosts.contains_key(host) || domains_above(host).any(|domain| self.domains.contains_key(domain))
    }

    /// What becomes of a request: the worst of what the rules say of it in each way that it can be read. Of the rules
    /// for it the first one counts; where there is none, nobody passes.
    ///
    /// # Returns
    /// The rule, too, that has said so.
    #[must_use]
    pub fn judge(&self, asked: &Asked<'_>, person: Option<&dyn Person>) -> (Verdict, Option<&Arc<Rule>>) {
        let mut worst = (Verdict::Pass, None);
        for reading in asked.readings {
            for method in asked.methods {
                let (verdict, by) = match self.find(asked, reading, method) {
                    Found::Rule(rule) => (rule.terms.judge(person), Some(rule)),
                    Found::Nothing => (Verdict::Refuse(Reason::NoRule), None),
                    Found::Unplaced => (Verdict::Refuse(Reason::Address), None),
                };
                if verdict >= worst.0 {
                    worst = (verdict, by);
                }
            }
        }
        if asked.readings.is_empty() || asked.methods.is_empty() {
            return (Verdict::Refuse(Reason::NoRule), None);
        }
        worst
    }

    fn find(&self, asked: &Asked<'_>, reading: &Reading<'_>, method: &str) -> Found<'_> {
        let mut found = Vec::new();
        let of_domains = domains_above(asked.host).filter_map(|domain| self.domains.get(domain));
        for root in self.hosts.get(asked.host).into_iter().chain(of_domains) {
            root.collect(reading, &mut found);
        }
        found.sort_unstable();
        for rule in found.into_iter().filter_map(|at| self.rules.get(at)) {
            if rule.terms.is_for_method(method) {
                match rule.terms.is_for_address(asked.address) {
                    Some(true) => return Found::Rule(rule),
                    Some(false) => {}
                    None => return Found::Unplaced,
                }
            }
        }
        Found::Nothing
    }
}

impl Node {
    fn insert(&mut self, segments: &[&str], below: bool, at: usize) {
        let Some((first, rest)) = segments.split_first() else {
            if below {
                self.below.push(at);
            } else {
                self.here.push(at);
            }
            return;
        };
        let next = if first.contains('*') {
            let known = self.globs.iter().position(|(pattern, _)| pattern == first);
            let place = known.unwrap_or_else(|| {
                self.globs.push(((*first).to_owned(), Self::default()));
                self.globs.len() - 1
            });
            &mut self.globs[place].1
        } else {
            self.literal.entry((*first).to_owned()).or_default()
        };
        next.insert(rest, below, at);
    }

    fn collect(&self, segments: &[std::borrow::Cow<'_, str>], found: &mut Vec<usize>) {
        found.extend_from_slice(&self.below);
        let Some((first, rest)) = segments.split_first() else {
            found.extend_from_slice(&self.here);
            return;
        };
        if let Some(next) = self.literal.get(&**first) {
            next.collect(rest, found);
        }
        for (_, next) in self.globs.iter().filter(|(pattern, _)| glob(pattern, first)) {
            next.collect(rest, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::host::HostPattern;
    use super::super::model::{Access, Terms};
    use super::super::path::{PathPattern, readings};
    use super::*;
    use crate::base::{Id, Timestamp};

    fn rule(number: u8, host: &str, path: &str, access: Access) -> Arc<Rule> {
        let terms = Terms::of_host(HostPattern::parse(host).unwrap());
        let terms = Terms { paths: vec![PathPattern::parse(path).unwrap()], access, ..terms };
        let at = Timestamp::from_secs(1);
        Arc::new(Rule { id: Id::from_bytes([number; 16]), terms, created_at: at, updated_at: at })
    }

    fn verdict(book: &RuleBook, host: &str, target: &str) -> Verdict {
        let readings = readings(target).unwrap();
        let asked = Asked { host, readings: &readings, methods: &["GET"], address: None };
        book.judge(&asked, None).0
    }

    const REFUSED: Verdict = Verdict::Refuse(Reason::Rule);
    const UNKNOWN: Verdict = Verdict::Refuse(Reason::NoRule);

    #[test]
    fn the_first_rule_for_a_host_and_a_path_counts() {
        let book = RuleBook::new(vec![
            rule(1, "wiki.example.org", "/status", Access::Public),
            rule(2, "wiki.example.org", "/admin/**", Access::Nobody),
            rule(3, "*.example.org", "/*/feed.xml", Access::Public),
            rule(4, "wiki.example.org", "/**", Access::User),
            rule(5, "wiki.example.org", "/admin/open", Access::Public),
            rule(6, "*.org", "/", Access::Public),
        ]);
        for (host, target, expected) in [
            ("wiki.example.org", "/status", Verdict::Pass),
            ("wiki.example.org", "/status/", Verdict::Pass),
            ("wiki.example.org", "/status/x", Verdict::SignIn),
            ("wiki.example.org", "/admin", REFUSED),
            ("wiki.example.org", "/admin/open", REFUSED),
            ("wiki.example.org", "/administration", Verdict::SignIn),
            ("wiki.example.org", "/a/feed.xml", Verdict::Pass),
            ("a.b.example.org", "/a/feed.xml", Verdict::Pass),
            ("a.b.example.org", "/a/b/feed.xml", UNKNOWN),
            ("example.org", "/a/feed.xml", UNKNOWN),
            ("example.org", "/", Verdict::Pass),
            ("org", "/", UNKNOWN),
            ("example.com", "/", UNKNOWN),
        ] {
            assert_eq!(verdict(&book, host, target), expected, "{host}{target}");
        }
        assert!(book.knows("a.b.org") && book.knows("wiki.example.org") && !book.knows("org"));
    }

    #[test]
    fn no_spelling_of_a_path_walks_around_a_rule() {
        let book = RuleBook::new(vec![
            rule(1, "a.example", "/admin/**", Access::Nobody),
            rule(2, "a.example", "/**", Access::Public),
        ]);
        for target in [
            "/admin",
            "/admin/",
            "//admin",
            "/admin//x",
            "/%61dmin",
            "/%2561dmin",
            "/admin%2Fx",
            "/admin;x/y",
            "/;a/admin",
            "/\\admin",
            "/admin\\x",
            "/admin%5Cx",
            "/%2Fadmin",
            "/admin%3Fx",
            "/admin%23",
            "/admin%252fx",
        ] {
            assert_eq!(verdict(&book, "a.example", target), REFUSED, "{target}");
        }
        for target in ["/Admin", "/administration", "/x/admin", "/a?/admin"] {
            assert_eq!(verdict(&book, "a.example", target), Verdict::Pass, "{target}");
        }
    }

    #[test]
    fn what_is_public_is_public_however_it_is_read() {
        let book = RuleBook::new(vec![
            rule(1, "a.example", "/public/**", Access::Public),
            rule(2, "a.example", "/**", Access::Nobody),
        ]);
        assert_eq!(verdict(&book, "a.example", "/public/a%2Fb;c"), Verdict::Pass);
        for target in ["/public%2Fa", "/public;a/b", "//public/a", "/public\\a"] {
            assert_eq!(verdict(&book, "a.example", target), REFUSED, "{target}");
        }
    }

    #[test]
    fn where_it_counts_from_where_nobody_passes_from_nowhere() {
        let mut near = Rule::clone(&rule(1, "a.example", "/**", Access::Public));
        near.terms.networks = vec!["10.0.0.0/8".parse().unwrap()];
        let book = RuleBook::new(vec![Arc::new(near), rule(2, "a.example", "/**", Access::User)]);
        let readings = readings("/").unwrap();
        let from = |address: Option<&str>| {
            let address = address.map(|text| text.parse().unwrap());
            book.judge(&Asked { host: "a.example", readings: &readings, methods: &["GET"], address }, None).0
        };
        assert_eq!(from(Some("10.1.2.3")), Verdict::Pass);
        assert_eq!(from(Some("11.1.2.3")), Verdict::SignIn);
        assert_eq!(from(None), Verdict::Refuse(Reason::Address));
    }

    /// Every rule in its order, one after the other, as a person would go about it.
    fn by_hand(rules: &[Arc<Rule>], host: &str, path: &[&str]) -> Option<usize> {
        let is_for_host = |rule: &Rule| match rule.terms.host.domain() {
            Some(domain) => host.ends_with(&format!(".{domain}")),
            None => rule.terms.host.as_str() == host,
        };
        let is_for_path = |rule: &Rule| {
            let (segments, below) = rule.terms.paths[0].parts();
            let fits = segments.iter().zip(path).all(|(pattern, segment)| glob(pattern, segment));
            fits && (segments.len() == path.len() || below && segments.len() < path.len())
        };
        rules.iter().position(|rule| is_for_host(rule) && is_for_path(rule))
    }

    proptest! {
        #[test]
        fn the_book_finds_what_a_person_finds(
            rules in prop::collection::vec(
                ("(a|b|\\*)\\.(c|d\\.c)", "(/(a|b|a\\*|\\*)){0,3}(/\\*\\*)?"), 0..12),
            host in "(a|b|x)\\.(c|d\\.c)",
            path in prop::collection::vec("[ab]{1,2}", 0..4),
        ) {
            let rules: Vec<_> = rules.iter().enumerate().map(|(at, (host, path))| {
                rule(at as u8, host, if path.is_empty() { "/" } else { path }, Access::Nobody)
            }).collect();
            let segments: Vec<_> = path.iter().map(String::as_str).collect();
            let expected = by_hand(&rules, &host, &segments).map(|at| rules[at].id);
            let book = RuleBook::new(rules);
            let target = format!("/{}", path.join("/"));
            let readings = readings(&target).unwrap();
            let asked = Asked { host: &host, readings: &readings, methods: &["GET"], address: None };
            prop_assert_eq!(book.judge(&asked, None).1.map(|rule| rule.id), expected);
        }

        #[test]
        fn a_path_in_disguise_never_passes_where_the_plain_one_does_not(
            rules in prop::collection::vec(("(/(a|b|\\*)){0,2}(/\\*\\*)?", any::<bool>()), 1..6),
            path in prop::collection::vec("[ab]", 1..4),
            seams in prop::collection::vec(0..6_usize, 4),
            tails in prop::collection::vec(0..3_usize, 4),
        ) {
            let rules = rules.iter().enumerate().map(|(at, (path, public))| {
                let access = if *public { Access::Public } else { Access::Nobody };
                rule(at as u8, "a.example", if path.is_empty() { "/" } else { path }, access)
            });
            let book = RuleBook::new(rules.collect());
            let plain = verdict(&book, "a.example", &format!("/{}", path.join("/")));
            let mut disguised = String::new();
            for (at, segment) in path.iter().enumerate() {
                disguised += if at == 0 { "/" } else { ["/", "//", "%2f", "\\", "%252F", "%5c"][seams[at]] };
                disguised += &match tails[at] {
                    0 => segment.clone(),
                    1 => format!("{segment};x"),
                    _ => format!("%{:02x}", segment.as_bytes()[0]),
                };
            }
            prop_assert!(verdict(&book, "a.example", &disguised) >= plain, "{}", disguised);
        }
    }
}
