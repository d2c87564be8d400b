//! Paths: what rules say of them, and how that of a request can be read. Pure.
//!
//! Who stands behind the proxy may read a path otherwise than whoever has written a rule: merge slashes or not, take `%2F` for one
//! or not, decode twice, cut off what follows a `;`. So a path is read in every way that there is for it, and a request is let
//! through only if it would be by each of them. Most paths can be read in one way alone. No client that means well sends `.` or
//! `..` in a path: it has resolved them itself (RFC 3986 section 5.2.4), and what still has them is refused.
use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};

const MAX_PATTERN: usize = 512;
/// Nothing that a browser opens comes near.
const MAX_PATH: usize = 8192;
const MAX_SEGMENTS: usize = 32;
/// How often something behind the proxy may decode.
const MAX_DECODINGS: usize = 3;
/// Of a path that can be read in several ways.
const MAX_ODD_PATH: usize = 2048;
const ANY: &str = "**";

/// What a rule says of paths: `/admin/**`. `*` stands for any part of a segment, `**` at the end for all that lies below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathPattern(String);

impl PathPattern {
    /// # Errors
    /// `Error::Invalid` naming `paths`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &'static str| Err(Error::invalid("paths", why));
        let Some(rest) = text.strip_prefix('/').filter(|_| text.len() <= MAX_PATTERN) else {
            return wrong("must begin with `/`, and have at most 512 bytes");
        };
        if text.chars().any(|c| c.is_control() || c == ' ' || matches!(c, '%' | '?' | '#' | ';' | '\\')) {
            return wrong("must be as they are read: without encoding (%), query, `;`, `\\` and spaces");
        }
        let segments: Vec<_> = rest.trim_end_matches('/').split('/').collect();
        if segments.len() > MAX_SEGMENTS {
            return wrong("must have at most 32 segments");
        }
        let last = segments.len() - 1;
        for (at, segment) in segments.iter().enumerate() {
            if text.contains("//") || matches!(*segment, "." | "..") {
                return wrong("must not have `//`, `.` or `..`");
            }
            if segment.contains(ANY) && (at != last || *segment != ANY) {
                return wrong("may have `**` as the last segment alone");
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// All of them.
    #[must_use]
    pub fn everything() -> Self {
        Self("/**".to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its segments, and whether it has all in it that lies below them.
    #[must_use]
    pub fn parts(&self) -> (Vec<&str>, bool) {
        let mut segments: Vec<_> = self.0.split('/').filter(|segment| !segment.is_empty()).collect();
        let below = segments.last() == Some(&ANY);
        if below {
            segments.pop();
        }
        (segments, below)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a segment is one that a pattern stands for.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

/// The segments of a path, in one way to read it. What was an encoded slash may stand in a segment.
pub type Reading<'p> = Vec<Cow<'p, str>>;

/// Every way to read the path of a request's target, without its query.
///
/// # Errors
/// Why it is none that may pass.
pub fn readings(target: &str) -> Result<Vec<Reading<'_>>, &'static str> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if !path.starts_with('/') || path.len() > MAX_PATH || !path.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the path must begin with `/`, be of ASCII, and have at most 8192 bytes");
    }
    if path.contains('#') {
        return Err("the path must not have `#`");
    }
    if is_plain(path) {
        let mut only: Reading<'_> = path.split('/').skip(1).map(Cow::Borrowed).collect();
        drop_end(&mut only);
        return Ok(vec![only]);
    }
    let mut all: Vec<Reading<'_>> = Vec::new();
    for decoded in decodings(path)? {
        for way in Way::all(&decoded) {
            let reading = way.read(&decoded)?;
            if !all.contains(&reading) {
                all.push(reading);
            }
        }
    }
    if all.len() > 1 && path.len() > MAX_ODD_PATH {
        return Err("the path can be read in several ways, and is too long for that");
    }
    Ok(all)
}

/// Whether there is one way to read it, and nothing to decode.
fn is_plain(path: &str) -> bool {
    let mut before = 0;
    path.bytes().all(|byte| {
        let odd = matches!(byte, b'%' | b';' | b'\\') || before == b'/' && matches!(byte, b'/' | b'.');
        before = byte;
        !odd
    })
}

/// What is at the end of a path says nothing: `/admin/` is `/admin`.
fn drop_end(segments: &mut Reading<'_>) {
    while segments.last().is_some_and(|last| last.is_empty()) {
        segments.pop();
    }
}

/// An encoded slash, as long as nobody has said what it is: no text of a path has this character.
const SLASH: char = '\0';
/// An encoded question mark or number sign.
const END: char = '\u{1}';

/// A path decoded once, twice, until nothing is encoded.
fn decodings(path: &str) -> Result<Vec<String>, &'static str> {
    let mut all = vec![decode(path).ok_or("the path is encoded in a way that cannot be read")?];
    for _ in 1..MAX_DECODINGS {
        match all.last().and_then(|last| decode(last).filter(|next| next != last)) {
            Some(next) => all.push(next),
            None => return Ok(all),
        }
    }
    let is_over = all.last().is_none_or(|last| decode(last).is_none_or(|next| next == *last));
    if is_over { Ok(all) } else { Err("the path is encoded too often") }
}

/// Decodes once. `None` for what is not encoded as it should be (RFC 3986 section 2.1), or is no text.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let value = digit(bytes.next())? << 4 | digit(bytes.next())?;
                match u8::try_from(value).ok()? {
                    b'/' => SLASH as u8,
                    b'?' | b'#' => END as u8,
                    control if control < b' ' || control == 0x7f => return None,
                    other => other,
                }
            }
            other => other,
        };
        out.push(decoded);
    }
    String::from_utf8(out).ok()
}

/// What whoever reads a path takes for what.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
struct Way {
    /// An encoded slash separates.
    slash: bool,
    /// So does a backslash.
    backslash: bool,
    /// What follows a `;` in a segment is no part of it.
    parameters: bool,
    /// Several slashes are one.
    merged: bool,
    /// An encoded `?` or `#` ends it.
    end: bool,
}

impl Way {
    /// The ways that make a difference for a text.
    fn all(text: &str) -> Vec<Self> {
        let both = |differs: bool| if differs { &[false, true][..] } else { &[false][..] };
        let mut all = Vec::new();
        let has_slash = text.contains(SLASH);
        // Two slashes may come of any mixture.
        let may_merge = text.contains("//") || has_slash || text.contains('\\') || text.contains("/;");
        for &slash in both(has_slash) {
            for &backslash in both(text.contains('\\')) {
                for &parameters in both(text.contains(';')) {
                    for &merged in both(may_merge) {
                        for &end in both(text.contains(END)) {
                            all.push(Self { slash, backslash, parameters, merged, end });
                        }
                    }
                }
            }
        }
        all
    }

    fn read(self, text: &str) -> Result<Reading<'static>, &'static str> {
        let text = if self.end { text.split(END).next().unwrap_or_default() } else { text };
        let separates = |c: char| c == '/' || self.slash && c == SLASH || self.backslash && c == '\\';
        let segments = text.split(separates).skip(1);
        let segments = segments.map(|one| match one.split_once(';') {
            Some((before, _)) if self.parameters => before,
            _ => one,
        });
        let segments = segments.filter(|one| !self.merged || !one.is_empty());
        let shown = |one: &str| Cow::Owned(one.replace(SLASH, "/").replace(END, "?"));
        let mut reading: Reading<'static> = segments.map(shown).collect();
        if reading.iter().any(|one| matches!(&**one, "." | "..")) {
            return Err("the path has `.` or `..`, which clients have to resolve");
        }
        drop_end(&mut reading);
        Ok(reading)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(target: &str) -> Vec<String> {
        readings(target).unwrap().iter().map(|one| format!("/{}", one.join("|"))).collect()
    }

    #[test]
    fn most_paths_are_read_in_one_way() {
        for (target, read) in [
            ("/", "/"),
            ("/a/b.html?x=/../", "/a|b.html"),
            ("/a/", "/a"),
            ("/m%C3%BCller", "/müller"),
            ("/a%20b/c", "/a b|c"),
            ("/...", "/..."),
        ] {
            assert_eq!(joined(target), [read], "{target}");
        }
    }

    #[test]
    fn others_are_read_in_every_way_that_there_is() {
        assert_eq!(joined("/a//b"), ["/a||b", "/a|b"]);
        assert_eq!(joined("/a%2Fb"), ["/a/b", "/a|b"]);
        assert_eq!(joined("/a\\b"), ["/a\\b", "/a|b"]);
        assert_eq!(joined("/a;x=1/b"), ["/a;x=1|b", "/a|b"]);
        assert_eq!(joined("/%2561"), ["/%61", "/a"]);
        assert_eq!(joined("/a%3Fb"), ["/a?b", "/a"]);
        assert!(joined("/;x//admin%252Fusers").contains(&"/admin|users".to_owned()));
    }

    #[test]
    fn what_climbs_or_cannot_be_read_is_refused() {
        for bad in [
            "",
            "a",
            "*",
            "http://a.example/",
            "/../a",
            "/a/./b",
            "/a/..",
            "/a/%2e%2E/b",
            "/a/.%2e",
            "/a%2f..%2fb",
            "/a\\..\\b",
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a/%252e%252e/b",
            "/a/%25252e%25252e/b",
            "/a%2525252525",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a%00",
            "/a%0d%0a",
            "/a%7f",
            "/%c0%af",
            "/%e0%80%af",
            "/%ff",
            "/a#b",
            "/a b",
            "/ä",
        ] {
            assert!(readings(bad).is_err(), "{bad}: {:?}", readings(bad));
        }
        assert!(readings(&format!("/{}", "a".repeat(8192))).is_err());
        assert!(readings(&format!("/{}//", "a".repeat(4096))).is_ok(), "what ends it says nothing");
        assert!(readings(&format!("/{}//b", "a".repeat(4096))).is_err());
    }

    #[test]
    fn a_pattern_is_written_as_it_is_read() {
        for good in ["/", "/**", "/a", "/a/", "/a/**", "/a*/b", "/*/b", "/müller", "/a/*.js"] {
            assert!(PathPattern::parse(good).is_ok(), "{good}");
        }
        for bad in
            ["", "a", "/a//b", "//", "/../a", "/a%20b", "/a?b", "/**/a", "/a**", "/a b", "/a;b", "/a\\b"]
        {
            assert!(PathPattern::parse(bad).is_err(), "{bad}");
        }
        assert!(PathPattern::parse(&"/a".repeat(33)).is_err());
    }

    #[test]
    fn a_star_stands_for_any_part_of_a_segment() {
        for (pattern, text, is_one) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*.js", "x.js", true),
            ("*.js", "x.json", false),
            ("a*c*e", "abcde", true),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), is_one, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_climbs(target in "[/a.%25fF;\\\\?#2eE0cC]{0,24}") {
            if let Ok(all) = readings(&target) {
                prop_assert!(!all.is_empty());
                for segment in all.iter().flatten() {
                    prop_assert!(!matches!(&**segment, "." | ".."));
                    prop_assert!(!segment.chars().any(char::is_control));
                }
            }
        }

        #[test]
        fn how_an_application_reads_a_path_is_one_of_the_ways(
            segments in prop::collection::vec("[a-c]{1,2}", 1..4),
            seams in prop::collection::vec(0..6_usize, 4),
            ends in prop::collection::vec(0..3_usize, 4),
        ) {
            // The same path as somebody may disguise it, and an application may still understand it.
            let mut disguised = String::new();
            for (at, segment) in segments.iter().enumerate() {
                disguised += if at == 0 { "/" } else { ["/", "//", "%2F", "\\", "%252f", "%5C"][seams[at]] };
                disguised += &match ends[at] {
                    0 => segment.clone(),
                    1 => format!("{segment};x=1"),
                    _ => segment.bytes().map(|byte| format!("%{byte:02x}")).collect(),
                };
            }
            let understood = readings(&disguised).unwrap();
            let plain: Vec<_> = segments.iter().map(|one| Cow::Borrowed(one.as_str())).collect();
            prop_assert!(understood.contains(&plain), "{disguised}: {understood:?}");
        }
    }
}
