//! Compares a value's text with the value that was asked for.

use serde_json::{Number, Value};

/// A JSON value that another must equal, as a value: `1` equals `1.0`, and neither spaces nor the order of an object's
/// members matter.
#[derive(Debug, Clone)]
pub struct Expected {
    text: Box<[u8]>,
    value: Value,
}

impl Expected {
    /// From JSON text.
    ///
    /// # Errors
    /// What is wrong with the text, to be read after it.
    pub fn new(text: &str) -> Result<Self, String> {
        let value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
        Ok(Self { text: text.trim().as_bytes().into(), value })
    }

    /// A string that must be equal.
    pub fn string(text: &str) -> Self {
        let value = Value::from(text);
        Self { text: value.to_string().into_bytes().into(), value }
    }

    /// The longest text that can equal it, in bytes: every character may be written as an escape, and 4 KiB of blanks
    /// are allowed. What is longer is taken to differ, so that no more than this need be kept.
    pub fn longest_text(&self) -> usize {
        4096 + 6 * self.text.len()
    }

    /// Whether a JSON text stands for the same value.
    #[inline]
    pub fn equals(&self, text: &[u8]) -> bool {
        *text == *self.text || (text.len() <= self.longest_text() && self.equals_otherwise_written(text))
    }

    fn equals_otherwise_written(&self, text: &[u8]) -> bool {
        // The usual difference costs no parsing: null or another word where a finish reason is expected.
        if let Value::String(string) = &self.value
            && !text.contains(&b'\\')
        {
            return text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""))
                == Some(string.as_bytes());
        }
        serde_json::from_slice(text).is_ok_and(|value| equal(&self.value, &value))
    }
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => equal_numbers(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| equal(one, other)))
        }
        _ => one == other,
    }
}

/// Integers are compared exactly, so that 2^53 and 2^53 + 1 differ; only a fraction or an exponent makes it a float.
fn equal_numbers(one: &Number, other: &Number) -> bool {
    one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_not_texts() {
        for (expected, text, equal) in [
            ("1", "1", true),
            ("1", "1.0", true),
            ("1", "10e-1", true),
            ("1", "2", false),
            ("9007199254740993", "9007199254740992", false),
            ("1", "\"1\"", false),
            ("\"stop\"", "\"stop\"", true),
            ("\"stop\"", "\"\\u0073top\"", true),
            ("\"stop\"", "\"stops\"", false),
            ("\"stop\"", "null", false),
            ("\"\\u00fc\"", "\"ü\"", true),
            (" [1, {\"a\": null, \"b\": 2}] ", "[1.0,{\"b\":2,\"a\":null}]", true),
            ("[1]", "[1,2]", false),
            ("{\"a\":1}", "{\"a\":1,\"b\":2}", false),
            ("{\"a\":null}", "{\"b\":null}", false),
            ("null", "null", true),
            ("true", "false", false),
        ] {
            assert_eq!(Expected::new(expected).unwrap().equals(text.as_bytes()), equal, "{expected} {text}");
        }
        assert!(Expected::string("a\"b").equals(b"\"a\\\"b\""));
    }

    #[test]
    fn nonsense_never_equals_anything() {
        assert!(Expected::new("{").unwrap_err().starts_with("is not JSON: "));
        for text in [&b""[..], b"\"", b"\xff", b"\"st", b"[[["] {
            assert!(!Expected::string("stop").equals(text));
            assert!(!Expected::new("[1]").unwrap().equals(text));
        }
    }
}
