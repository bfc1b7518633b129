//! Renders the bodies of a block.
//!
//! A template knows `seq`, `uuid`, `random_int(FROM, TO)`, `words(N)` and the columns of its dataset.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::value::{Object, Value};
use minijinja::{Environment, Error, ErrorKind, Output, State};

use super::words::words;
use super::{Dataset, Field, Variety};
use crate::random::{below, mix};

/// What every template knows beside the columns of its dataset.
pub const NAMES: [&str; 4] = ["seq", "uuid", "random_int", "words"];

/// Whether a body is meant to be a template.
pub fn is_template(body: &str) -> bool {
    body.contains("{{") || body.contains("{%")
}

/// A template that makes no bodies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TemplateError {
    /// Of the template, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

/// A template that is ready to make bodies.
#[derive(Debug)]
pub struct Template<'a> {
    environment: Environment<'a>,
    dataset: &'a Dataset,
    seed: u64,
}

/// The names that a template uses and does not define, in order.
///
/// # Errors
/// When it is none.
pub fn names_in(template: &str) -> Result<Vec<String>, TemplateError> {
    let environment = Environment::empty();
    let parsed = environment.template_from_named_str(NAME, template).map_err(error)?;
    let mut names: Vec<String> = parsed.undeclared_variables(false).into_iter().collect();
    names.sort();
    Ok(names)
}

impl<'a> Template<'a> {
    /// Reads a template. Bodies differ from seed to seed where something in them is random.
    ///
    /// # Errors
    /// When it is none, or names something that there is not.
    pub fn new(variety: &'a Variety, seed: u64) -> Result<Self, TemplateError> {
        let known =
            |name: &str| NAMES.contains(&name) || variety.dataset.columns.iter().any(|column| column == name);
        if let Some(unknown) = names_in(&variety.template)?.into_iter().find(|name| !known(name)) {
            let columns = variety.dataset.columns.iter().map(String::as_str);
            let all = NAMES.into_iter().chain(columns).collect::<Vec<_>>().join(", ");
            let line = line_of(&variety.template, &unknown);
            return Err(TemplateError { line, problem: format!("there is no `{unknown}`; there are {all}") });
        }
        let mut environment = Environment::empty();
        let escapes_json = variety.escapes_json;
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_formatter(move |output, state, value| write(output, state, value, escapes_json));
        environment.add_template(NAME, &variety.template).map_err(error)?;
        Ok(Self { environment, dataset: &variety.dataset, seed })
    }

    /// Body `item`, from 0.
    ///
    /// # Errors
    /// When an expression in the template makes no sense.
    pub fn body(&self, item: u64) -> Result<String, TemplateError> {
        let rows = &self.dataset.rows;
        let row = rows.get(item.checked_rem(rows.len() as u64).unwrap_or_default() as usize);
        let fields = self.dataset.columns.iter().zip(row.into_iter().flatten());
        let own = mix(self.seed ^ mix(item));
        let names = Names {
            item,
            fields: fields.map(|(column, field)| (column.clone(), value(field))).collect(),
            own,
            drawn: AtomicU64::new(own),
        };
        let template = self.environment.get_template(NAME).map_err(error)?;
        template.render(Value::from_object(names)).map_err(error)
    }
}

/// The one template of an environment.
const NAME: &str = "body";

fn value(field: &Field) -> Value {
    match field {
        Field::Text(text) => Value::from(text.as_str()),
        // A whole number can be reckoned with; all else is safe to put in as it is.
        Field::Json(text) => match text.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from_safe_string(text.clone()),
        },
    }
}

/// What one body is made with.
#[derive(Debug)]
struct Names {
    item: u64,
    fields: Vec<(String, Value)>,
    /// A number that no other body of the block has.
    own: u64,
    /// The last number drawn for this body.
    drawn: AtomicU64,
}

impl Names {
    fn draw(&self) -> u64 {
        // One thread renders a body.
        let drawn = mix(self.drawn.load(Ordering::Relaxed));
        self.drawn.store(drawn, Ordering::Relaxed);
        drawn
    }

    fn random_int(&self, from: i64, to: i64) -> Result<i64, Error> {
        if from > to {
            let problem = format!("random_int({from}, {to}) has nothing to choose from");
            return Err(Error::new(ErrorKind::InvalidOperation, problem));
        }
        let choice = to.abs_diff(from).saturating_add(1);
        Ok(from.wrapping_add_unsigned(below(choice, self.draw())))
    }

    fn words(&self, count: usize) -> Result<String, Error> {
        if count > MOST_WORDS {
            let problem = format!("words({count}) is more than {MOST_WORDS}");
            return Err(Error::new(ErrorKind::InvalidOperation, problem));
        }
        Ok(words(count, || self.draw()))
    }

    /// Version 4, and the same throughout a body.
    fn uuid(&self) -> String {
        let (high, low) = (mix(self.own ^ 1), mix(self.own ^ 2));
        let (high, low) = ((high & !0xf000) | 0x4000, (low & !(0b11 << 62)) | (0b10 << 62));
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }
}

/// The most that `words` makes: a prompt of a few megabytes.
pub const MOST_WORDS: usize = 1_000_000;

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let names = self.clone();
        match key.as_str()? {
            "seq" => Some(Value::from(self.item)),
            "uuid" => Some(Value::from(self.uuid())),
            "random_int" => Some(Value::from_function(move |from, to| names.random_int(from, to))),
            "words" => Some(Value::from_function(move |count| names.words(count))),
            column => self.fields.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone()),
        }
    }
}

/// Puts a value in.
fn write(
    output: &mut Output<'_>,
    state: &State<'_, '_>,
    value: &Value,
    escapes_json: bool,
) -> Result<(), Error> {
    match value.as_str().filter(|_| escapes_json && !value.is_safe()) {
        Some(text) => write_escaped(output, text).map_err(Error::from),
        None if value.is_undefined() => Err(Error::new(ErrorKind::UndefinedError, "there is no such value")),
        None => minijinja::escape_formatter(output, state, value),
    }
}

/// As it stands between the quotes of a JSON string.
fn write_escaped(output: &mut Output<'_>, text: &str) -> std::fmt::Result {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        output.write_str(&text[plain..at])?;
        plain = at + 1;
        match byte {
            b'"' => output.write_str("\\\"")?,
            b'\\' => output.write_str("\\\\")?,
            b'\n' => output.write_str("\\n")?,
            b'\r' => output.write_str("\\r")?,
            b'\t' => output.write_str("\\t")?,
            control => output.write_fmt(format_args!("\\u{control:04x}"))?,
        }
    }
    output.write_str(&text[plain..])
}

fn error(error: Error) -> TemplateError {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    TemplateError { line: error.line().unwrap_or(1), problem: detail }
}

/// Where a name is used first.
fn line_of(template: &str, name: &str) -> usize {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let is_whole = |at: &usize| {
        let (before, after) = (&template[..*at], &template[at + name.len()..]);
        !before.ends_with(is_word)
            && !after.starts_with(is_word)
            && before.contains("{{") | before.contains("{%")
    };
    let at = template.match_indices(name).map(|(at, _)| at).find(is_whole);
    template[..at.unwrap_or_default()].matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
