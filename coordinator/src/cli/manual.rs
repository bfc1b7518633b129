//! The flags of what tells about the program itself.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

/// The flags of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// For which shell
    pub shell: Shell,
}

/// The flags of `man`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// Folder that a page for each command is written to; made when it is not there [default: the program's own page goes
    /// to standard output]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,

    /// How pages are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = PageFormat::Roff)]
    pub format: PageFormat,
}

/// How a page about a command is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    /// As `man` reads it
    Roff,
    /// As docs/commands holds it
    Markdown,
}
