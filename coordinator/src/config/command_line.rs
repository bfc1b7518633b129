//! The command line as a report shows it: to be pasted into a shell, with the secrets taken out.

use std::ffi::OsString;

use super::Redactor;

/// The arguments, quoted for a shell. Values of headers and query parameters that sound secret, passwords in URLs and
/// the API key itself are left out.
pub(super) fn shown(arguments: &[OsString], redactor: &Redactor) -> String {
    let mut shown = Vec::new();
    let mut flag = None;
    for (index, argument) in arguments.iter().enumerate() {
        let argument = argument.to_string_lossy();
        let public = match (flag.take(), argument.split_once('=')) {
            _ if index == 0 => "archestra-bench".into(),
            (Some(flag), _) => public_value(flag, &argument, redactor),
            (None, Some((flag, value))) if flag.starts_with("--") => {
                format!("{flag}={}", public_value(flag, value, redactor))
            }
            (None, _) => {
                flag = [
                    "--header",
                    "--direct-header",
                    "--target",
                    "--direct",
                    "--path",
                    "--direct-path",
                    "--worker-url",
                ]
                .into_iter()
                .find(|known| argument == *known);
                argument.into_owned()
            }
        };
        shown.push(shell_quoted(&redactor.text(&public)));
    }
    shown.join(" ")
}

fn public_value(flag: &str, value: &str, redactor: &Redactor) -> String {
    match flag {
        "--header" | "--direct-header" => redactor.headers(value),
        "--target" | "--direct" | "--path" | "--direct-path" => redactor.url(value),
        // A signed address is a key as a whole, whatever its parts are called.
        "--worker-url" => match value.split_once('?') {
            Some((page, _)) => format!("{}?[redacted]", redactor.url(page)),
            None => redactor.url(value),
        },
        _ => value.to_owned(),
    }
}

/// In single quotes, unless a shell would leave the text alone.
pub(crate) fn shell_quoted(argument: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,+@%".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use proptest::prelude::*;

    fn show(arguments: &[&str]) -> String {
        let all = ["/somewhere/target/release/archestra-bench", "run"].iter().chain(arguments);
        shown(
            &all.map(OsString::from).collect::<Vec<_>>(),
            &Redactor::new([(&Secret::new("sk-live-0123456789"), [].as_slice())]),
        )
    }

    #[test]
    fn ordinary_arguments_are_shown_as_they_can_be_pasted() {
        assert_eq!(
            show(&["--requests", "1000", "--header", "x-team: it's us", "--model="]),
            r"archestra-bench run --requests 1000 --header 'x-team: it'\''s us' --model="
        );
    }

    #[test]
    fn secrets_are_taken_out() {
        assert_eq!(
            show(&["--header", "Authorization: Bearer abc", "--header=X-Api-Key: abc", "--header", "abc"]),
            "archestra-bench run --header 'Authorization: [redacted]' '--header=X-Api-Key: [redacted]' \
             --header '[redacted]'"
        );
        assert_eq!(
            show(&["--target", "https://me:abc@gateway.example", "--path=/v1?api_key=abc&version=2"]),
            "archestra-bench run --target 'https://[redacted]@gateway.example' \
             '--path=/v1?api_key=[redacted]&version=2'"
        );
        assert_eq!(
            show(&[
                "--worker-url",
                "https://s.example/w?X-Goog-Signature=abc&X-Goog-Date=1",
                "--worker-url=https://s/w"
            ]),
            "archestra-bench run --worker-url 'https://s.example/w?[redacted]' --worker-url=https://s/w"
        );
        assert_eq!(
            show(&["--header", "x-team: a\nx-api-key: abc"]),
            "archestra-bench run --header 'x-team: a\nx-api-key: [redacted]'"
        );
        assert_eq!(show(&["--model", "x-sk-live-0123456789"]), "archestra-bench run --model 'x-[redacted]'");
    }

    proptest! {
        #[test]
        fn what_is_shown_means_the_same_to_a_shell(arguments in prop::collection::vec("[ -~]{0,12}", 0..5)) {
            prop_assume!(!arguments.iter().any(|argument| argument.contains("--")));
            let shown = show(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(unquoted(&shown).split_off(2), arguments);
        }

        #[test]
        fn the_key_is_never_shown(before in "[a-z:=? -]{0,9}", after in "[a-z:=? -]{0,9}") {
            let shown = show(&[&format!("{before}sk-live-0123456789{after}")]);
            prop_assert!(!shown.contains("sk-live-0123456789"), "{}", shown);
        }
    }

    /// Splits as a shell does, for the two kinds of quoting that are used.
    fn unquoted(line: &str) -> Vec<String> {
        let (mut words, mut quoted) = (vec![String::new()], false);
        let mut letters = line.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                '\\' if !quoted => words.last_mut().unwrap().extend(letters.next()),
                _ => words.last_mut().unwrap().push(letter),
            }
        }
        words
    }
}
