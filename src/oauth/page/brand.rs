//! What an installation's pages look like: its name, its picture, its colours.
use std::fs;
use std::path::Path;

use crate::base::{Error, Result};
use crate::config::{Color, Config};

const MAX_LOGO: u64 = 256 * 1024;
const SETTING: &str = "pages.logo";

/// How an installation shows itself.
pub struct Brand {
    /// What the service is called.
    pub name: String,
    pub logo: Option<Logo>,
    /// The style sheet of every page, its colours first.
    pub style: String,
}

/// A picture, and of which kind it is.
pub struct Logo {
    pub kind: &'static str,
    pub bytes: Vec<u8>,
}

impl Brand {
    /// Reads the picture.
    ///
    /// # Errors
    /// `Error::Invalid` naming `pages.logo` for a file that cannot be read, is too large, or is no picture.
    pub fn open(config: &Config, name: String) -> Result<Self> {
        let logo = config.pages.logo.0.as_deref().map(Logo::read).transpose()?;
        Ok(Self { name, logo, style: style(config) })
    }
}

impl Logo {
    fn read(path: &Path) -> Result<Self> {
        let refuse = |reason: String| Error::invalid(SETTING, format!("{reason}: {}", path.display()));
        let cannot = |cause: std::io::Error| refuse(format!("cannot be read ({cause})"));
        // Its length first: the path may be that of something that has no end.
        let about = fs::metadata(path).map_err(cannot)?;
        if !about.is_file() || about.len() > MAX_LOGO {
            return Err(refuse(format!("must be a file of at most {MAX_LOGO} bytes")));
        }
        let bytes = fs::read(path).map_err(cannot)?;
        let kind = kind_of(&bytes);
        let kind = kind.ok_or_else(|| refuse("must be a PNG, JPEG, GIF, WebP or SVG picture".to_owned()))?;
        Ok(Self { kind, bytes })
    }
}

/// By what a picture begins with, whatever its file is called.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let text = str::from_utf8(bytes).map(|text| text.trim_start_matches('\u{feff}').trim_start());
    let is_svg =
        text.is_ok_and(|text| text.starts_with("<svg") || text.starts_with("<?xml") && text.contains("<svg"));
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ if is_svg => Some("image/svg+xml"),
        _ => None,
    }
}

fn style(config: &Config) -> String {
    let pages = &config.pages;
    let colors = |color: Color, ground: Color| {
        let (text, on_color, wrong) = (ground.text(), color.text(), ground.alert());
        format!(
            "--color: {color}; --on-color: {on_color}; --ground: {ground}; --text: {text}; --wrong: {wrong};"
        )
    };
    format!(
        ":root {{ {} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n{}",
        colors(pages.color, pages.background),
        colors(pages.color_dark, pages.background_dark),
        include_str!("style.css")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_bytes_and_nothing_else_is_one() {
        for (bytes, kind) in [
            (&b"\x89PNG\r\n\x1a\n.."[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF....WEBPVP8 ", Some("image/webp")),
            (b"\n<svg xmlns='http://www.w3.org/2000/svg'/>", Some("image/svg+xml")),
            (b"<?xml version='1.0'?><svg/>", Some("image/svg+xml")),
            (b"<html><svg></html>", None),
            (b"<?xml version='1.0'?><html/>", None),
            (b"GIF", None),
            (b"", None),
        ] {
            assert_eq!(kind_of(bytes), kind, "{bytes:?}");
        }
    }

    #[test]
    fn a_picture_that_cannot_be_one_is_refused_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let (large, text) = (dir.path().join("large.png"), dir.path().join("text.png"));
        fs::write(&large, [&b"\x89PNG\r\n\x1a\n"[..], &vec![0; 256 * 1024]].concat()).unwrap();
        fs::write(&text, "<script>alert(1)</script>").unwrap();
        for (path, words) in [
            (large.as_path(), "at most 262144 bytes"),
            (&text, "PNG, JPEG, GIF, WebP or SVG"),
            (dir.path(), "must be a file"),
            (Path::new("/dev/zero"), "must be a file"),
            (&dir.path().join("nothing"), "cannot be read"),
        ] {
            match Logo::read(path) {
                Err(Error::Invalid(wrong)) => {
                    assert_eq!(wrong.field, SETTING);
                    assert!(wrong.reason.contains(words), "{}", wrong.reason);
                }
                _ => panic!("{} is taken", path.display()),
            }
        }
    }
}
