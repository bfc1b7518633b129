//! Errors and what lies beneath them, in one line.

use std::error::Error;

/// The innermost cause of an error, which says most.
pub fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().replace('\n', " ")
}

/// An error with all its causes.
pub fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        sentence.push_str(&format!(": {source}"));
        cause = source.source();
    }
    sentence.replace('\n', " ")
}
