//! An error as a caller of an AWS API sees it: a code, a sentence, a status and whose fault it was.
//! The codes here are the ones every service shares; a service's own come from its generated `Error`.

use serde_json::{Map, Value};
use std::fmt;

#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// The exception's name, e.g. `ClusterNotFoundException`.
    pub code: String,
    pub message: String,
    pub status: u16,
    pub fault: Fault,
    /// Further modelled members of the exception, e.g. `resourceIds` of a `ConflictException`. Boxed: errors travel in results,
    /// and hardly any has these.
    pub extra: Box<Map<String, Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller sent something it must change.
    Sender,
    /// We failed; the same request may succeed later.
    Receiver,
}

impl Error {
    pub fn sender(code: impl Into<String>, message: impl Into<String>) -> Error {
        Error { code: code.into(), message: message.into(), status: 400, fault: Fault::Sender, extra: Box::default() }
    }

    pub fn receiver(code: impl Into<String>, message: impl Into<String>) -> Error {
        Error { status: 500, fault: Fault::Receiver, ..Error::sender(code, message) }
    }

    pub fn with_status(self, status: u16) -> Error {
        Error { status, ..self }
    }

    /// A modelled member of the exception besides its message; an absent one is not rendered.
    pub fn with_member(mut self, name: &str, value: impl serde::Serialize) -> Error {
        if let Ok(value) = serde_json::to_value(value)
            && !value.is_null()
        {
            self.extra.insert(name.to_owned(), value);
        }
        self
    }

    /// The body is not what the protocol can read: not JSON, or a member of the wrong type.
    pub fn serialization(message: impl Into<String>) -> Error {
        Error::sender("SerializationException", message)
    }

    /// A constraint of the model is not met. Services differ in the code, so their model names it.
    pub fn validation(code: &str, failures: &[String]) -> Error {
        let noun = if failures.len() == 1 { "error" } else { "errors" };
        Error::sender(code, format!("{} validation {noun} detected: {}", failures.len(), failures.join("; ")))
    }

    pub fn unknown_operation(message: impl Into<String>) -> Error {
        Error::sender("UnknownOperationException", message)
    }

    pub fn access_denied(message: impl Into<String>) -> Error {
        Error::sender("AccessDeniedException", message)
    }

    pub fn throttling() -> Error {
        Error::sender("ThrottlingException", "Rate exceeded")
    }

    pub fn request_too_large() -> Error {
        Error::sender("RequestEntityTooLargeException", "The request body is too large.").with_status(413)
    }

    /// We broke; what broke goes to the log, not to the caller.
    pub fn internal() -> Error {
        Error::receiver("InternalFailure", "The request processing has failed because of an unknown error, exception or failure.")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn validation_counts_its_failures() {
        let message =
            |failures: &[&str]| Error::validation("V", &failures.iter().map(|f| f.to_string()).collect::<Vec<_>>()).message;
        assert_eq!(message(&["a"]), "1 validation error detected: a");
        assert_eq!(message(&["a", "b"]), "2 validation errors detected: a; b");
    }

    #[test]
    fn an_absent_member_is_not_carried() {
        assert!(Error::sender("C", "m").with_member("resourceIds", None::<Vec<String>>).extra.is_empty());
    }
}
