//! What the examples that simulate runs are asked for: `[SEEDS] [--seed FIRST]`.

use std::ops::Range;

/// The seeds of the runs; `usual` many from 0 on, where nothing else is asked for.
pub fn seeds(usual: u64) -> Range<u64> {
    let (mut count, mut first) = (usual, 0);
    let mut arguments = std::env::args().skip(1);
    let number = |text: Option<String>| -> u64 {
        text.and_then(|text| text.parse().ok()).expect("usage: [SEEDS] [--seed FIRST]")
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seed" => first = number(arguments.next()),
            _ => count = number(Some(argument)),
        }
    }
    first..first + count
}
