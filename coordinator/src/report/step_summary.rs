//! The page that GitHub Actions shows of a step: `GITHUB_STEP_SUMMARY` names a file, and what is appended to it is shown.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// GitHub drops a step's page that is larger than this.
const MOST_BYTES: u64 = 1024 * 1024;

/// Appends Markdown to the page of the current step. Where there is not enough room for all of it, its sections at the end
/// are left out, and a sentence says so. `false` where there is no room for anything.
///
/// # Errors
/// When the file cannot be written.
pub fn append(path: &Path, markdown: &str) -> io::Result<bool> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let room = MOST_BYTES.saturating_sub(file.metadata()?.len());
    let Some(text) = fitting(markdown, usize::try_from(room).unwrap_or(usize::MAX)) else { return Ok(false) };
    file.write_all(text.as_bytes())?;
    Ok(true)
}

/// The file that this process is told of.
pub fn path() -> Option<PathBuf> {
    std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A blank line keeps it apart from what another command of the step wrote.
fn fitting(markdown: &str, room: usize) -> Option<String> {
    let whole = format!("{markdown}\n");
    if whole.len() <= room {
        return Some(whole);
    }
    let note =
        "\n\nWhat follows is left out, because GitHub shows no more than 1 MiB: see the summary's file.\n\n";
    let ends = markdown.match_indices("\n\n## ").map(|(at, _)| at);
    let end = ends.filter(|end| end + note.len() <= room).last()?;
    Some(format!("{}{note}", &markdown[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out_section_by_section() {
        let markdown = format!("# One\n\n## Two\n\n{}\n\n## Three\n\nend\n", "x".repeat(200));
        assert_eq!(fitting(&markdown, 1_000), Some(format!("{markdown}\n")));
        let short = fitting(&markdown, 220).unwrap();
        assert!(short.starts_with("# One\n\nWhat follows is left out"), "{short}");
        let longer = fitting(&format!("{markdown}{}", "y".repeat(500)), 400).unwrap();
        assert!(longer.contains("xxx\n\nWhat follows") && !longer.contains("Three"), "{longer}");
        assert_eq!(fitting(&markdown, 20), None);
    }
}
