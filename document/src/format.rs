//! Formats of text: a function for each name that a schema gives one.

/// A scalar that is read as text.
#[derive(Debug, Clone, Copy)]
pub struct Scalar<'a> {
    /// What it says.
    pub text: &'a str,
    /// Whether it has no quotes, so that other readers may not take it for text.
    pub plain: bool,
}

/// What is wrong with a scalar, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl Wrong {
    /// Without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A `format` of text, and the function that checks one.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Its name in the schema; that without a name is for all text without a format.
    pub name: &'static str,
    /// Whether a text fits.
    pub check: fn(Scalar<'_>) -> Result<(), Wrong>,
    /// Whether anything may stand there, so that a placeholder is not taken for one, and nothing
    /// for the empty text.
    pub free: bool,
}
