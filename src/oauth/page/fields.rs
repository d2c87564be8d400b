//! What a form asks for. Each field has a label, says what is wrong with it, and keeps what was typed, but for passwords.
use std::fmt;

use minijinja::{Value, context};

use super::texts::{Texts, of_reason};
use crate::base::Error;

/// A field of a form, as it is shown.
#[derive(Clone)]
pub struct Field {
    name: &'static str,
    label: String,
    kind: &'static str,
    value: String,
    autocomplete: &'static str,
    hint: Option<String>,
    required: bool,
    focused: bool,
    digits: bool,
    error: Option<String>,
}

impl Field {
    /// One that has to be filled in. What is typed into it is known to browsers by `autocomplete`.
    #[must_use]
    pub fn text(name: &'static str, label: &str, autocomplete: &'static str) -> Self {
        Self {
            name,
            label: label.to_owned(),
            kind: "text",
            value: String::new(),
            autocomplete,
            hint: None,
            required: true,
            focused: false,
            digits: false,
            error: None,
        }
    }

    #[must_use]
    pub fn email(name: &'static str, label: &str) -> Self {
        Self { kind: "email", ..Self::text(name, label, "email") }
    }

    #[must_use]
    pub fn password(name: &'static str, label: &str, autocomplete: &'static str) -> Self {
        Self { kind: "password", ..Self::text(name, label, autocomplete) }
    }

    /// The same with what was typed; a password is never shown again.
    #[must_use]
    pub fn holding(self, value: Option<&str>) -> Self {
        let value = if self.kind == "password" { "" } else { value.unwrap_or_default() };
        Self { value: value.to_owned(), ..self }
    }

    #[must_use]
    pub fn with_hint(self, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..self }
    }

    /// The same with what is wrong with it.
    #[must_use]
    pub fn saying(self, wrong: &str) -> Self {
        Self { error: Some(wrong.to_owned()), ..self }
    }

    #[must_use]
    pub fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    #[must_use]
    pub fn of_digits(self) -> Self {
        Self { digits: true, ..self }
    }
}

/// What was typed may be a secret.
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("name", &self.name).finish_non_exhaustive()
    }
}

impl From<Field> for Value {
    fn from(field: Field) -> Self {
        let Field { name, label, kind, value, autocomplete, hint, required, focused, digits, error } = field;
        context! { name, label, kind, value, autocomplete, hint, required, focused, digits, error }
    }
}

/// Shows a form once more: what is wrong at its field, and the cursor where something has to be typed. Gives what is wrong
/// with no field.
pub fn judged<'e>(fields: &mut [Field], texts: &Texts, error: Option<&'e Error>) -> Option<&'e Error> {
    let rest = match error {
        Some(Error::Invalid(wrong)) => match fields.iter_mut().find(|field| field.name == wrong.field) {
            Some(field) => {
                field.error = Some(of_reason(texts, &wrong.reason));
                None
            }
            None => error,
        },
        other => other,
    };
    let at = fields.iter().position(|field| field.error.is_some());
    let at = at.or_else(|| fields.iter().position(|field| field.required && field.value.is_empty()));
    if let Some(field) = at.and_then(|at| fields.get_mut(at)) {
        field.focused = true;
    }
    rest
}
