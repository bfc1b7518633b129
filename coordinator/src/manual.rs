//! What the program says of itself, made of its own flags: completions for shells, man pages, pages of Markdown.

mod markdown;

use std::io;

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::cli::PageFormat;

/// A page about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The name of its file.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What a shell sources to complete the program's commands and flags.
pub fn completions(program: &Command, shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut program.clone(), program.get_name(), &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        // clap_complete 4.6 writes a program's name that has a hyphen in two ways, so that no command would be completed.
        Shell::Bash => {
            let [one, other] = ["__subcmd__", "__"].map(|joint| program.get_name().replace('-', joint));
            script.replace(&one, &other)
        }
        _ => script,
    }
}

/// The page of the program, then one for each command.
///
/// # Errors
/// When a page cannot be put together.
pub fn pages(program: &Command, format: PageFormat) -> io::Result<Vec<Page>> {
    let mut program = program.clone().disable_help_subcommand(true);
    // Each command then knows what it is called from outside.
    program.build();
    match format {
        PageFormat::Markdown => Ok(markdown::pages(&program)),
        PageFormat::Roff => {
            std::iter::once(&program).chain(program.get_subcommands()).map(man_page).collect()
        }
    }
}

fn man_page(command: &Command) -> io::Result<Page> {
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    man.render(&mut text)?;
    Ok(Page { name: man.get_filename(), text: String::from_utf8_lossy(&text).into_owned() })
}
