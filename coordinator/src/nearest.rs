//! Which known name was probably meant by one that nobody knows.

/// The nearest of the known names, where so few letters differ that it was probably meant, or one that begins with what
/// was typed.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.trim().to_lowercase();
    let rated = known.into_iter().filter_map(|known| {
        let name = known.to_lowercase();
        let longer = name.chars().count().max(typed.chars().count());
        let distance = strsim::damerau_levenshtein(&name, &typed);
        let is_begun = typed.len() >= 4 && name.starts_with(&typed);
        (is_begun || distance <= (longer / 3).clamp(1, 3)).then_some((distance, known))
    });
    rated.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// The nearest as a question for the end of a sentence, such as "; did you mean `run`?"; empty where there is none.
pub fn question<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_seen_through_and_another_word_is_not() {
        let known = ["simple_chat", "chat_with_tools", "local", "p50", "p95", "failures"];
        for (typed, meant) in [
            ("simple_chta", Some("simple_chat")),
            ("Simple_Chat", Some("simple_chat")),
            ("chat_with_tool", Some("chat_with_tools")),
            ("chat_with", Some("chat_with_tools")),
            ("loacl", Some("local")),
            ("p94", Some("p95")),
            ("fail", Some("failures")),
            ("moon", None),
            ("p9000", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
        assert_eq!(question("loacl", known), "; did you mean `local`?");
        assert_eq!(question("moon", known), "");
    }
}
