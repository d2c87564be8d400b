//! The layers, by file name and folder: what a file may mention. A folder is a feature, a file name is a layer.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::layers::{EVERYTHING, LAYERS, WATCHED};

const MAX_LINES: usize = 400;

/// What stands nowhere but in tests: `what` and the files that have a reason.
const BANNED: &[(&str, &[&str])] = &[
    ("todo!", &[]),
    ("unimplemented!", &[]),
    ("dbg!", &[]),
    ("println!", &[]),
    (".unwrap()", &[]),
    (".expect(", &["base/entropy.rs"]),
    ("panic!(", &[]),
    ("unreachable!", &[]),
    ("#[allow(", &[]),
    ("#![allow(", &[]),
    ("unsafe ", &[]),
    ("SystemTime::now", &["base/clock.rs"]),
    ("Instant::now", &["base/clock.rs"]),
    ("now_utc", &[]),
    ("rand::fill", &["base/entropy.rs"]),
    ("rand::rng", &[]),
    ("begin_write", &["store/engine.rs", "store/opened.rs"]),
];

pub struct Source {
    /// Below `src` or `tests`.
    pub path: String,
    text: String,
}

impl Source {
    /// The code alone: without comments, texts and tests.
    pub fn code(&self) -> String {
        let code = self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        code.lines().map(without_comment_and_texts).collect::<Vec<_>>().join("\n")
    }

    fn folder(&self) -> &str {
        self.path.split_once('/').map_or("", |(folder, _)| folder)
    }
}

/// Good enough for what rustfmt leaves: no line has a comment after an open text.
fn without_comment_and_texts(line: &str) -> String {
    let (mut code, mut in_text, mut before) = (String::new(), false, ' ');
    for (at, c) in line.char_indices() {
        if !in_text && line[at..].starts_with("//") {
            break;
        }
        // A double quote in single ones is a character.
        if c == '"' && before != '\\' && before != '\'' {
            in_text = !in_text;
        } else if !in_text {
            code.push(c);
        }
        before = if before == '\\' && c == '\\' { ' ' } else { c };
    }
    code
}

/// What is in a folder of the project.
pub fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut all = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                all.push(Source {
                    path: path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
                    text,
                });
            }
        }
    }
    assert!(all.len() > 3, "{folder} has moved");
    all
}

fn fits(pattern: &str, path: &str) -> bool {
    match (pattern.strip_suffix("/*"), pattern.strip_prefix("*/")) {
        (Some(folder), _) => path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
        (_, Some(name)) => path.rsplit_once('/').is_some_and(|(_, rest)| rest == name),
        _ => pattern == path,
    }
}

/// The names that follow `crate::`, one or several in braces.
fn parts_of_ours(code: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let names = after.strip_prefix('{').map_or(after, |group| group.split('}').next().unwrap());
        let several = after.starts_with('{');
        for name in names.split(',').take(if several { usize::MAX } else { 1 }) {
            let end = |c: char| !c.is_alphanumeric() && c != '_';
            parts.insert(name.trim().split(end).next().unwrap().to_owned());
        }
    }
    // What follows the last comma.
    parts.remove("");
    parts
}

fn mentions(code: &str, library: &str) -> bool {
    code.match_indices(&format!("{library}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        !before.is_alphanumeric() && before != '_' && before != ':'
    })
}

#[test]
fn every_file_mentions_only_what_its_layer_may() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let layer = LAYERS.iter().find(|layer| layer.files.iter().any(|pattern| fits(pattern, &source.path)));
        let Some(layer) = layer else {
            wrong.push(format!("{} is in no layer", source.path));
            continue;
        };
        let code = source.code();
        for part in parts_of_ours(&code) {
            if part != source.folder() && layer.ours != EVERYTHING && !layer.ours.contains(&&*part) {
                wrong.push(format!("{} mentions crate::{part}", source.path));
            }
        }
        for library in WATCHED {
            if mentions(&code, library) && !layer.libraries.contains(&library) {
                wrong.push(format!("{} mentions {library}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_layer_has_a_file() {
    let sources = sources("src");
    for pattern in LAYERS.iter().flat_map(|layer| layer.files) {
        assert!(sources.iter().any(|source| fits(pattern, &source.path)), "{pattern}");
    }
}

#[test]
fn http_knows_of_a_session_only_its_id_and_endpoints_know_no_table() {
    for source in sources("src") {
        let code = source.code();
        if source.path == "http/caller.rs" {
            let mut mentioned = code.match_indices("crate::session").map(|(at, _)| &code[at..]);
            assert!(mentioned.all(|rest| rest.starts_with("crate::session::Session;")), "{}", source.path);
        }
        if source.path.ends_with("/http.rs") {
            let code = code.replace("BTreeMap<", "");
            for word in ["table::", "::table", "::Store", "store::", ".write(", "Map<"] {
                assert!(!code.contains(word), "{} mentions {word}", source.path);
            }
        }
    }
}

#[test]
fn no_service_calls_a_service_that_writes() {
    let services =
        [("account", "Accounts"), ("session", "Sessions"), ("admin", "Admin"), ("health", "Health")];
    for source in sources("src").iter().filter(|source| source.path.ends_with("/service.rs")) {
        let code = source.code();
        let words: BTreeSet<_> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        for (folder, service) in services {
            if source.folder() != folder && source.folder() != "admin" {
                assert!(!words.contains(service), "{} holds {service}", source.path);
            }
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let folders = ["src", "tests", "benches"];
    let long = folders.iter().flat_map(|folder| sources(folder)).filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > MAX_LINES).then(|| format!("{} has {lines} lines", source.path))
    });
    let long: Vec<_> = long.collect();
    assert!(long.is_empty(), "{long:?}: more than {MAX_LINES} lines are two files");
}

#[test]
fn what_may_stop_the_server_or_escape_the_test_stands_nowhere() {
    for source in sources("src") {
        let code = source.code();
        for (banned, reasons) in BANNED {
            let here = code.contains(banned);
            assert_eq!(here, reasons.contains(&&*source.path), "{} and {banned}", source.path);
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for source in sources("src").iter().chain(&sources("tests")).filter(|source| source.path != "lib.rs") {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 12, "{}: {first}", source.path);
    }
}

#[test]
fn no_test_is_left_out() {
    for source in sources("tests") {
        let code = source.code();
        assert!(!code.contains("#[ignore"), "{}", source.path);
        if source.folder() != "it" || source.path.contains("/support/") || source.path.ends_with("/mod.rs") {
            continue;
        }
        let tests = code.matches("#[test]").count() + code.matches("#[tokio::test").count();
        assert!(tests > 0 || source.path == "it/main.rs", "{} tests nothing", source.path);
        // Every function that looks like a test is one: they have no arguments and give nothing.
        let lines: Vec<_> = code.lines().collect();
        for (n, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.starts_with("async fn ") && line.ends_with("() {"))
        {
            assert!(lines[n - 1].starts_with("#[tokio::test"), "{}: {line}", source.path);
        }
    }
}
