//! What is known of where a user can be reached. Pure.
use serde::{Deserialize, Serialize};

use crate::base::text::rearranges;
use crate::base::{Error, Result, Timestamp};

const MAX_LINE: usize = 200;
/// E.164: a country's code and a number, fifteen digits at most.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=15;

/// Where a user can be reached, as the user has said. Nobody has verified it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub phone_number: Option<String>,
    pub address: Option<Address>,
    pub updated_at: Timestamp,
}

/// A postal address (OpenID Connect Core section 5.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// With lines, if it has several.
    pub street_address: Option<String>,
    pub locality: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

impl Contact {
    /// Nothing is known.
    #[must_use]
    pub const fn empty(at: Timestamp) -> Self {
        Self { phone_number: None, address: None, updated_at: at }
    }

    /// Whether it says the same as another one.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.phone_number == other.phone_number && self.address == other.address
    }
}

impl Address {
    /// # Errors
    /// `Error::Invalid` naming the part that is too long, or has what no line has.
    pub fn parse(self) -> Result<Option<Self>> {
        let parsed = Self {
            street_address: line("address.street_address", self.street_address, true)?,
            locality: line("address.locality", self.locality, false)?,
            region: line("address.region", self.region, false)?,
            postal_code: line("address.postal_code", self.postal_code, false)?,
            country: line("address.country", self.country, false)?,
        };
        Ok((parsed != Self::default()).then_some(parsed))
    }

    /// As it stands on a letter.
    #[must_use]
    pub fn formatted(&self) -> String {
        let town: Vec<_> = [&self.postal_code, &self.locality].into_iter().flatten().cloned().collect();
        let town = Some(town.join(" ")).filter(|town| !town.is_empty());
        let lines = [&self.street_address, &town, &self.region, &self.country];
        lines.into_iter().flatten().cloned().collect::<Vec<_>>().join("\n")
    }
}

/// A telephone number as all countries write it, without what people put between digits.
///
/// # Errors
/// `Error::Invalid` naming `phone_number` for what is none.
pub fn parse_phone(text: &str) -> Result<Option<String>> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let number: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/')).collect();
    let digits = number.strip_prefix('+').unwrap_or_default();
    let is_good = PHONE_DIGITS.contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    if is_good {
        Ok(Some(number))
    } else {
        Err(Error::invalid(
            "phone_number",
            "must be like +49 30 901820: '+', the country's code, and the number",
        ))
    }
}

fn line(field: &'static str, text: Option<String>, has_lines: bool) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim().replace("\r\n", "\n");
    let is_bad = |c: char| c.is_control() && !(has_lines && c == '\n') || rearranges(c);
    if text.chars().count() > MAX_LINE {
        return Err(Error::invalid(field, "must have at most 200 characters"));
    }
    if text.chars().any(is_bad) {
        return Err(Error::invalid(field, "must not have control characters"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_number_is_the_same_however_it_is_written() {
        for text in ["+49 30 901820", "+49-30-901820", " +49 (30) 90.18.20 ", "+4930901820"] {
            assert_eq!(parse_phone(text).unwrap().as_deref(), Some("+4930901820"), "{text}");
        }
        assert_eq!(parse_phone(" ").unwrap(), None);
        for bad in
            ["030 901820", "+0301234567", "+12345", "+1234567890123456", "+49 30 9018x", "++4930901820"]
        {
            assert!(parse_phone(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_written_as_on_a_letter() {
        let some = |text: &str| Some(text.to_owned());
        let address = Address {
            street_address: some("Hauptstr. 1\r\nHinterhaus"),
            locality: some(" Berlin "),
            postal_code: some("10115"),
            country: some("DE"),
            region: some(""),
        };
        let address = address.parse().unwrap().unwrap();
        assert_eq!(address.formatted(), "Hauptstr. 1\nHinterhaus\n10115 Berlin\nDE");
        assert_eq!(Address::default().parse().unwrap(), None);
        let bad = Address { locality: some("a\nb"), ..Address::default() };
        assert!(bad.parse().is_err());
        let bad = Address { region: some(&"x".repeat(201)), ..Address::default() };
        assert!(bad.parse().is_err());
    }
}
