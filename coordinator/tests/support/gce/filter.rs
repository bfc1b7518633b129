//! Filters of lists: terms such as `labels.run=a7` or `name != "b"`, in brackets or joined by AND.

use serde_json::Value;

/// A filter; one without terms lets everything through.
#[derive(Debug, Default)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Debug)]
struct Term {
    field: String,
    operator: String,
    value: String,
}

impl Filter {
    /// Reads a filter; `None` when it is none that the fake knows.
    pub fn read(text: &str) -> Option<Self> {
        let words: Vec<String> =
            words(text)?.into_iter().filter(|word| !["(", ")", "AND"].contains(&word.as_str())).collect();
        let term = |words: &[String]| match words {
            [field, operator, value]
                if is_operator(operator) && !is_operator(field) && !is_operator(value) =>
            {
                let [field, operator, value] = [field, operator, value].map(String::clone);
                Some(Term { field, operator, value })
            }
            _ => None,
        };
        Some(Self { terms: words.chunks(3).map(term).collect::<Option<_>>()? })
    }

    /// Whether it lets a resource through.
    pub fn fits(&self, resource: &Value) -> bool {
        self.terms.iter().all(|term| term.fits(resource))
    }
}

impl Term {
    fn fits(&self, resource: &Value) -> bool {
        let found = self.field.split('.').try_fold(resource, |value, name| value.get(name));
        let text = found.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        match (self.operator.as_str(), text) {
            (":", Some(_)) if self.value == "*" => true,
            (":", Some(text)) => text.contains(&self.value),
            ("=" | "eq", Some(text)) => text == self.value,
            ("!=" | "ne", text) => text.is_none_or(|text| text != self.value),
            _ => false,
        }
    }
}

fn is_operator(word: &str) -> bool {
    ["=", "!=", ":", "eq", "ne"].contains(&word)
}

/// `None` when a quote has no end.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                let end = rest[1..].find('"')?;
                words.push(rest[1..=end].to_owned());
                rest = rest[end + 2..].trim_start();
                continue;
            }
            '!' => 2,
            '(' | ')' | '=' | ':' => 1,
            _ => {
                rest.find(|next: char| next.is_whitespace() || "()=!:\"".contains(next)).unwrap_or(rest.len())
            }
        };
        words.push(rest.get(..length)?.to_owned());
        rest = rest[length..].trim_start();
    }
    Some(words)
}
