//! Text of others that is shown to a person: on one line, and with nothing in it that steers a terminal. Pure.

/// Text with a mark in the place of each character that [`steers`].
pub fn visible(text: &str) -> String {
    text.chars().map(|character| if steers(character) { '\u{fffd}' } else { character }).collect()
}

/// The same, where lines and columns are only spaces: lines are joined.
pub fn on_one_line(text: &str) -> String {
    visible(&text.replace(['\n', '\r', '\t'], " "))
}

/// Whether a character would steer a terminal, end the line or turn it round.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_marked_and_all_else_stays() {
        assert_eq!(
            visible("a\nb\u{1b}]52;c;eA==\u{7}\u{9b}2J"),
            "a\u{fffd}b\u{fffd}]52;c;eA==\u{fffd}\u{fffd}2J"
        );
        assert_eq!(
            visible("\u{202e}live\u{2066}\u{61c} 日本 é 👩\u{200d}💻"),
            "\u{fffd}live\u{fffd}\u{fffd} 日本 é 👩\u{200d}💻"
        );
        assert_eq!(on_one_line("a\r\n\tb\u{1b}"), "a   b\u{fffd}");
    }
}
