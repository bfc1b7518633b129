//! Checks JSON against the schemas of a discovery document: unknown properties, types, enums and formats.

use serde_json::{Map, Value};

/// What is wrong with `value`, which should be what `schema` says. `schemas` holds those that are referred to.
pub fn check(schemas: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    Checker { schemas, wrong: &mut wrong }.check(schema, value, at);
    wrong
}

/// What is wrong with the text of a path's or a query's parameter.
pub fn check_parameter(parameter: &Value, text: &str) -> Option<String> {
    let is_right = match parameter["type"].as_str() {
        Some("integer") => {
            text.parse::<u64>().is_ok_and(|number| number >= bound(parameter, "minimum").unwrap_or(0))
        }
        Some("boolean") => ["true", "false"].contains(&text.to_ascii_lowercase().as_str()),
        _ => format_fits(parameter["format"].as_str(), text) && enum_fits(parameter, text),
    };
    let is_within = bound(parameter, "maximum")
        .is_none_or(|maximum| text.parse::<u64>().is_ok_and(|number| number <= maximum));
    (!is_right || !is_within || !name_fits(parameter, text))
        .then(|| format!("`{text}` is none of {parameter}"))
}

struct Checker<'a> {
    schemas: &'a Value,
    wrong: &'a mut Vec<String>,
}

impl Checker<'_> {
    fn check(&mut self, schema: &Value, value: &Value, at: &str) {
        if let Some(name) = schema["$ref"].as_str() {
            let schemas = self.schemas;
            assert!(schemas[name].is_object(), "the subset lacks {name}");
            return self.check(&schemas[name], value, at);
        }
        match (schema["type"].as_str(), value) {
            (Some("any") | None, _) | (Some("boolean"), Value::Bool(_)) => {}
            (Some("object"), Value::Object(members)) => self.check_members(schema, members, at),
            (Some("array"), Value::Array(items)) => {
                for (number, item) in items.iter().enumerate() {
                    self.check(&schema["items"], item, &format!("{at}[{number}]"));
                }
            }
            (Some("string"), Value::String(text)) => {
                if !format_fits(schema["format"].as_str(), text) || !enum_fits(schema, text) {
                    self.wrong.push(format!("{at}: `{text}` is no {}", described(schema)));
                }
            }
            (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {}
            (Some("number"), Value::Number(_)) => {}
            _ => self.wrong.push(format!("{at}: {value} is no {}", described(schema))),
        }
    }

    fn check_members(&mut self, schema: &Value, members: &Map<String, Value>, at: &str) {
        for (name, value) in members {
            let at = format!("{at}.{name}");
            let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
            match known {
                Some(known) => self.check(known, value, &at),
                None => self.wrong.push(format!("{at}: there is no such property")),
            }
        }
    }
}

fn described(schema: &Value) -> String {
    let format = schema["format"].as_str().map(|format| format!(" ({format})")).unwrap_or_default();
    let one_of = if schema["enum"].is_array() { " of its list" } else { "" };
    format!("{}{format}{one_of}", schema["type"].as_str().unwrap_or_default())
}

fn enum_fits(schema: &Value, text: &str) -> bool {
    schema["enum"].as_array().is_none_or(|values| values.iter().any(|value| value == text))
}

fn format_fits(format: Option<&str>, text: &str) -> bool {
    match format {
        Some("int64") => text.parse::<i64>().is_ok(),
        Some("uint64") => text.parse::<u64>().is_ok(),
        Some("date-time" | "google-datetime") => text.parse::<jiff::Timestamp>().is_ok(),
        Some("date") => text.parse::<jiff::civil::Date>().is_ok(),
        Some("byte") => base64_fits(text),
        _ => true,
    }
}

fn base64_fits(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let is_digit = |character: char| character.is_ascii_alphanumeric() || "+/-_".contains(character);
    text.len().is_multiple_of(4) && text.len() - digits.len() <= 2 && digits.chars().all(is_digit)
}

fn bound(parameter: &Value, which: &str) -> Option<u64> {
    parameter[which].as_str()?.parse().ok()
}

/// Names of resources are the only patterns that matter here; `-` stands for all zones.
fn name_fits(parameter: &Value, text: &str) -> bool {
    let is_name = parameter["pattern"].as_str().is_some_and(|pattern| pattern.starts_with("[a-z](?:["));
    !is_name || text == "-" || is_resource_name(text) || text.parse::<u64>().is_ok()
}

/// Whether the fleet may name a resource so: 1 to 63 lower-case letters, digits and dashes, a letter first, no dash last.
pub fn is_resource_name(text: &str) -> bool {
    let is_inner =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    text.len() <= 63
        && text.starts_with(|character: char| character.is_ascii_lowercase())
        && text.chars().all(is_inner)
        && !text.ends_with('-')
}
