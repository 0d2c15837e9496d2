//! Why a UDF gave up. What it says reaches the person who started the run, word for word.

use std::fmt;

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One sentence for the person who started the run, and what led to it.
///
/// It has no `std::error::Error` of its own, so that `?` turns any other error into it, with its sources as causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
}

impl Error {
    /// `message` says what is wrong, where, and what to do. Lower case, no final period.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new() }
    }

    /// A parameter with a value that will not do: "parameter `r`: expected a positive number, given -1".
    pub fn parameter(name: &str, expected: impl fmt::Display, given: impl fmt::Display) -> Self {
        Self::new(format!("parameter `{name}`: expected {expected}, given {given}"))
    }

    /// Puts `message` in front: what so far was the message becomes a cause.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.message, message.into());
        self.causes.insert(0, inner);
        self
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What led to it, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self { message: error.to_string(), causes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_goes_in_front() {
        let parsed: Result<i32> = "x".parse::<i32>().map_err(Error::from);
        let error = parsed.unwrap_err().context("reading the calibration");
        assert_eq!(error.message(), "reading the calibration");
        assert_eq!(error.causes(), ["invalid digit found in string"]);
    }
}
