//! Colours, and whether people can tell one from another (WCAG 2.2).
use std::fmt;

use super::settings::{Config, Pages};
use super::value::Value;
use crate::base::{Error, Result};

/// What text needs at least (WCAG 2.2, success criterion 1.4.3).
const ENOUGH: f64 = 4.5;
/// What the ground of whole pages needs (the same, 1.4.6): not all text on it is black or white.
const GROUND: f64 = 7.0;

/// A colour, as `#rrggbb` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(pub [u8; 3]);

impl Color {
    /// That of text on dark ground.
    pub const LIGHT: Self = Self([0xff, 0xff, 0xff]);
    /// That of text on light ground.
    pub const DARK: Self = Self([0, 0, 0]);
    /// What is wrong, on dark ground and on light.
    const ALERTS: [Self; 2] = [Self([0xff, 0xb4, 0xab]), Self([0xb3, 0x26, 0x1e])];

    /// How well two colours are told from each other: 1 to 21.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// The colour of text on this one.
    #[must_use]
    pub fn text(self) -> Self {
        self.more_readable([Self::LIGHT, Self::DARK])
    }

    /// The colour on this one of what is wrong.
    #[must_use]
    pub fn alert(self) -> Self {
        self.more_readable(Self::ALERTS)
    }

    fn more_readable(self, [one, other]: [Self; 2]) -> Self {
        if self.contrast(one) >= self.contrast(other) { one } else { other }
    }

    /// Relative luminance.
    fn luminance(self) -> f64 {
        let part = |value: u8| match f64::from(value) / 255.0 {
            dark if dark <= 0.04045 => dark / 12.92,
            bright => ((bright + 0.055) / 1.055).powf(2.4),
        };
        let [red, green, blue] = self.0.map(part);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Value for Color {
    fn from_text(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let part = |at: usize| {
            let digits = digits.get(at..at + 2)?;
            // `from_str_radix` takes a sign.
            digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
        };
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }
}

impl Config {
    pub(super) fn check_pages(&self) -> Result<()> {
        let Pages { color, color_dark, background, background_dark, .. } = &self.pages;
        let all = [
            ("pages.background", background, "pages.color", color),
            ("pages.background_dark", background_dark, "pages.color_dark", color_dark),
        ];
        for (ground_key, ground, key, color) in all {
            if ground.contrast(ground.text()) < GROUND {
                return Err(Error::invalid(
                    ground_key,
                    "must be lighter or darker: no text can be read on it",
                ));
            }
            let contrast = color.contrast(*ground);
            if contrast < ENOUGH {
                let reason = format!(
                    "must be told from {ground_key} ({ground}) more easily: their contrast is {contrast:.1} and must be \
                     {ENOUGH} at least (WCAG 2.2)"
                );
                return Err(Error::invalid(key, reason));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_has_six_digits() {
        assert_eq!(Color::from_text("#0a5Fff"), Some(Color([0x0a, 0x5f, 0xff])));
        for bad in ["", "#", "#fff", "red", "0a5fff", "#0a5fff0", "#0a5ffg", "#+a5fff", "#é5fff", "#000000;"]
        {
            assert_eq!(Color::from_text(bad), None, "{bad}");
        }
        assert_eq!(Color([0x0a, 0x5f, 0xff]).to_string(), "#0a5fff");
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        let of = |one: &str, other: &str| {
            let read = |text| Color::from_text(text).unwrap();
            (read(one).contrast(read(other)) * 100.0).round() / 100.0
        };
        for (one, other, contrast) in
            [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#0000ff", "#ffffff", 8.59)]
        {
            assert!((of(one, other) - contrast).abs() < 0.001, "{one}: {}", of(one, other));
        }
    }

    #[test]
    fn text_can_be_read_on_every_colour() {
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(15) {
                for blue in (0..=255).step_by(15) {
                    let ground = Color([red, green, blue]);
                    let text = ground.text();
                    assert!(ground.contrast(text) >= ENOUGH, "{text} on {ground}");
                }
            }
        }
    }

    #[test]
    fn what_nobody_could_read_is_refused_and_named() {
        let refused = |key: &str, value: &str| {
            let environment = [(format!("AUTH_PAGES__{}", key.to_uppercase()), value.to_owned())];
            match crate::config::load(&crate::config::Flags::default(), environment.into_iter()) {
                Err(Error::Invalid(wrong)) => wrong.field.into_owned(),
                Ok(_) => "none".to_owned(),
                Err(other) => panic!("{other:?}"),
            }
        };
        for (key, value, named) in [
            ("color", "#ffff00", "pages.color"),
            ("color", "blue", "pages.color"),
            ("color", "#000080;}", "pages.color"),
            ("color_dark", "#1c5fb8", "pages.color_dark"),
            ("background", "#808080", "pages.background"),
            ("background", "#002dff", "pages.color"),
            ("background", "#1c1c1c", "pages.color"),
            ("background_dark", "#ffffff", "pages.color_dark"),
            ("background_dark", "#000000", "none"),
            ("color", "#005f00", "none"),
        ] {
            assert_eq!(refused(key, value), named, "{key} {value}");
        }
    }
}
