//! Bodies that differ from request to request: the template and the rows that they are made of.
//!
//! Body *i* follows from the template, the rows, the seed and *i* alone ([`template`]), so that workers which make
//! different numbers of bodies never make the same one.

pub mod template;
mod words;

use std::io::{Read, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use prost::Message as _;

use crate::{InvalidMessage, wire};

/// What the rows of a dataset may take, as text.
pub const MAX_ROW_BYTES: usize = 32 << 20;
/// What the requests of one worker may take that are rendered before a block.
pub const MAX_RING_BYTES: usize = 256 << 20;
/// The most bodies that may be asked for.
pub const MAX_BODIES: u32 = 1_000_000;

/// What the bodies of a block are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variety {
    /// A minijinja template.
    pub template: String,
    /// Whether text is put in so that it can stand between the quotes of a JSON string.
    pub escapes_json: bool,
    /// Where further values come from; body *i* is made with row *i*, and begins again after the last.
    pub dataset: Dataset,
    /// How many are made over the whole fleet, before they are used again.
    pub bodies: u32,
}

/// Values by column and row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// The columns' names.
    pub columns: Vec<String>,
    /// Rows of as many values as there are columns.
    pub rows: Vec<Vec<Field>>,
}

/// A value of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Text, which is escaped where it is put into JSON.
    Text(String),
    /// Anything else, which is JSON already.
    Json(String),
}

impl From<&Variety> for wire::Variety {
    fn from(variety: &Variety) -> Self {
        let field = |field: &Field| match field {
            Field::Text(text) => wire::Field { value: text.clone(), is_json: false },
            Field::Json(text) => wire::Field { value: text.clone(), is_json: true },
        };
        let row = |row: &Vec<Field>| wire::Row { fields: row.iter().map(field).collect() };
        let rows = wire::Rows { rows: variety.dataset.rows.iter().map(row).collect() };
        wire::Variety {
            template: variety.template.clone(),
            escapes_json: variety.escapes_json,
            columns: variety.dataset.columns.clone(),
            rows_deflate: deflated(&rows.encode_to_vec()),
            bodies: variety.bodies,
        }
    }
}

impl TryFrom<wire::Variety> for Variety {
    type Error = InvalidMessage;

    fn try_from(wire: wire::Variety) -> Result<Self, InvalidMessage> {
        if wire.bodies == 0 || wire.bodies > MAX_BODIES {
            return Err(InvalidMessage::new("variety.bodies", format!("is 0 or beyond {MAX_BODIES}")));
        }
        let rows = inflated(&wire.rows_deflate)
            .and_then(|bytes| wire::Rows::decode(bytes.as_slice()).ok())
            .ok_or(InvalidMessage::new("variety.rows_deflate", "is broken or unfolds to too much"))?;
        let field = |field: wire::Field| match field.is_json {
            false => Field::Text(field.value),
            true => Field::Json(field.value),
        };
        let row = |row: wire::Row| row.fields.into_iter().map(field).collect();
        let rows: Vec<Vec<Field>> = rows.rows.into_iter().map(row).collect();
        if rows.iter().any(|row| row.len() != wire.columns.len()) {
            return Err(InvalidMessage::new("variety.rows_deflate", "holds a row of another length"));
        }
        Ok(Self {
            template: wire.template,
            escapes_json: wire.escapes_json,
            dataset: Dataset { columns: wire.columns, rows },
            bodies: wire.bodies,
        })
    }
}

/// Rows with what frames them; a value takes at most a dozen bytes more than its text.
const MAX_INFLATED: u64 = 4 * MAX_ROW_BYTES as u64;

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut inflated = Vec::new();
    DeflateDecoder::new(bytes).take(MAX_INFLATED + 1).read_to_end(&mut inflated).ok()?;
    (inflated.len() as u64 <= MAX_INFLATED).then_some(inflated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn variety(rows: Vec<Vec<Field>>) -> Variety {
        let columns = vec!["prompt".into(), "size".into()];
        Variety {
            template: "{{ prompt }}".into(),
            escapes_json: true,
            dataset: Dataset { columns, rows },
            bodies: 7,
        }
    }

    #[test]
    fn it_survives_the_wire() {
        let rows = vec![
            vec![Field::Text("a \"quoted\" word".into()), Field::Json("[1,2]".into())],
            vec![Field::Text(String::new()), Field::Json("null".into())],
        ];
        let variety = variety(rows);
        assert_eq!(Variety::try_from(wire::Variety::from(&variety)), Ok(variety));
    }

    #[test]
    fn nonsense_and_bombs_are_refused() {
        let spoil = |change: &dyn Fn(&mut wire::Variety)| {
            let mut message = wire::Variety::from(&variety(vec![vec![Field::Json("1".into()); 2]]));
            change(&mut message);
            Variety::try_from(message).unwrap_err().to_string()
        };
        assert_eq!(spoil(&|m| m.bodies = 0), "variety.bodies is 0 or beyond 1000000");
        assert_eq!(spoil(&|m| m.columns.truncate(1)), "variety.rows_deflate holds a row of another length");
        let broken = "variety.rows_deflate is broken or unfolds to too much";
        assert_eq!(spoil(&|m| m.rows_deflate = vec![7; 9]), broken);
        assert_eq!(spoil(&|m| m.rows_deflate = deflated(&vec![0; MAX_INFLATED as usize + 1])), broken);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut message = wire::Variety::from(&variety(Vec::new()));
            message.rows_deflate = if bytes.first().is_some_and(|first| *first > 99) { deflated(&bytes) } else { bytes };
            let _ = Variety::try_from(message);
        }
    }
}
