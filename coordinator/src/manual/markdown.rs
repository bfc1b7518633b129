//! A page of Markdown for each command, as `docs/commands` holds them.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::Page;

/// A page that lists the commands, and one for each.
pub(super) fn pages(program: &Command) -> Vec<Page> {
    let commands = program.get_subcommands().map(page);
    std::iter::once(index(program)).chain(commands).collect()
}

fn index(program: &Command) -> Page {
    let mut text = format!("# Commands\n\n{}.\n\n", about(program));
    for command in program.get_subcommands() {
        let name = command.get_name();
        push(&mut text, format_args!("- [{name}]({name}.md): {}\n", about(command)));
    }
    push(
        &mut text,
        format_args!(
            "\nThese pages are made of the program's own flags: `archestra-bench man --format markdown docs/commands`\n"
        ),
    );
    Page { name: "README.md".into(), text }
}

fn page(command: &Command) -> Page {
    let name = command.get_name();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let mut text = format!("# archestra-bench {name}\n\n{}.\n\n    {usage}\n", about(command));
    let arguments = || command.get_arguments().filter(|argument| !argument.is_hide_set());
    let mut headings: Vec<&str> = Vec::new();
    for heading in arguments().map(heading_of) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading in headings {
        push(&mut text, format_args!("\n## {heading}\n\n"));
        for argument in arguments().filter(|argument| heading_of(argument) == heading) {
            push(&mut text, format_args!("- {}\n", line(argument)));
        }
    }
    if let Some(more) = command.get_after_help() {
        push(&mut text, format_args!("\n## More\n\n{}\n", escaped(&more.to_string())));
    }
    Page { name: format!("{name}.md"), text }
}

fn heading_of(argument: &Arg) -> &str {
    match argument.get_help_heading() {
        Some(heading) => heading,
        None if argument.is_positional() => "Arguments",
        None => "Options",
    }
}

/// The flag, what it does, what can be given, its default and its variable.
fn line(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let mut line = format!("`{}`: {}", argument.to_string().replace('`', ""), escaped(&help));
    let takes_values = argument.get_action().takes_values();
    let values = argument.get_possible_values();
    let values: Vec<_> =
        values.iter().filter(|value| !value.is_hide_set()).map(|value| value.get_name()).collect();
    if takes_values && !values.is_empty() {
        push(&mut line, format_args!("; one of {}", values.join(", ")));
    }
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_values && !defaults.is_empty() {
        push(&mut line, format_args!(" [default: {}]", escaped(&defaults.join(","))));
    }
    if let Some(variable) = argument.get_env() {
        push(&mut line, format_args!(" (`{}`)", variable.to_string_lossy()));
    }
    line
}

fn about(command: &Command) -> String {
    escaped(&command.get_about().map(ToString::to_string).unwrap_or_default())
}

/// Text that may hold what Markdown takes for marks; what stands between backticks is left alone.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(number, part)| match number % 2 {
        0 => part.replace('<', "\\<").replace('*', "\\*").replace('|', "\\|"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`")
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = text.write_fmt(what);
}
