//! The summary's sections as HTML. What a person reads is written once, in Markdown, and only shown here.

use std::fmt::Write as _;

use maud::{Escaper, Markup, PreEscaped};
use pulldown_cmark::{Alignment, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Markdown of ours as HTML. Whatever it holds, only elements that are named here come out.
pub(super) fn html(markdown: &str) -> Markup {
    let mut writer =
        Writer { out: String::new(), alignments: Vec::new(), column: 0, is_head: false, cell: 0 };
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        writer.event(event);
    }
    PreEscaped(writer.out)
}

/// Cells of more characters are broken into lines, and figures never.
const LONG: usize = 48;
/// Words of so many characters stay on one line.
const SHORT: usize = 24;

struct Writer {
    out: String,
    alignments: Vec<Alignment>,
    column: usize,
    is_head: bool,
    /// The beginning of the cell that is being written: where its text begins.
    cell: usize,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Html(html) => html.lines().for_each(|line| self.element(line)),
            Event::Text(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(code) => {
                self.out.push_str("<code>");
                self.text(&code);
                self.out.push_str("</code>");
            }
            Event::SoftBreak | Event::HardBreak => self.out.push('\n'),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.out.push_str("<p>"),
            Tag::Heading { level: HeadingLevel::H1, .. } => self.out.push_str("<h1>"),
            Tag::Heading { .. } => self.out.push_str("<h2>"),
            Tag::List(_) => self.out.push_str("<ul>"),
            Tag::Item => self.out.push_str("<li>"),
            Tag::Strong => self.out.push_str("<strong>"),
            Tag::Emphasis => self.out.push_str("<em>"),
            Tag::CodeBlock(_) => self.out.push_str("<pre tabindex=\"0\"><code>"),
            Tag::Table(alignments) => {
                self.alignments = alignments;
                self.out.push_str(
                    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>",
                );
            }
            Tag::TableHead => {
                (self.column, self.is_head) = (0, true);
                self.out.push_str("<thead><tr>");
            }
            Tag::TableRow => {
                (self.column, self.is_head) = (0, false);
                self.out.push_str("<tr>");
            }
            Tag::TableCell => self.cell = self.out.len(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        self.out.push_str(match tag {
            TagEnd::TableCell => return self.end_cell(),
            TagEnd::Paragraph => "</p>",
            TagEnd::Heading(HeadingLevel::H1) => "</h1>",
            TagEnd::Heading(_) => "</h2>",
            TagEnd::List(_) => "</ul>",
            TagEnd::Item => "</li>",
            TagEnd::Strong => "</strong>",
            TagEnd::Emphasis => "</em>",
            TagEnd::CodeBlock => "</code></pre>",
            TagEnd::Table => "</tbody></table></div>",
            TagEnd::TableHead => "</tr></thead><tbody>",
            TagEnd::TableRow => "</tr>",
            _ => "",
        });
    }

    fn end_cell(&mut self) {
        let is_right = self.alignments.get(self.column) == Some(&Alignment::Right);
        let length = self.out[self.cell..].chars().count();
        let class = match is_right {
            _ if length > LONG => " class=\"words\"",
            true => "",
            false if length <= SHORT => " class=\"name\"",
            false => " class=\"words\"",
        };
        let (begin, end) = if self.is_head { ("th scope=\"col\"", "th") } else { ("td", "td") };
        self.out.insert_str(self.cell, &format!("<{begin}{class}>"));
        let _ = write!(self.out, "</{end}>");
        self.column += 1;
    }

    /// What folds a table away; anything else is text.
    fn element(&mut self, line: &str) {
        let summary = line.strip_prefix("<summary>").and_then(|rest| rest.strip_suffix("</summary>"));
        match (line, summary) {
            ("<details>" | "</details>", _) => self.out.push_str(line),
            (_, Some(about)) => {
                self.out.push_str("<summary>");
                self.text(about);
                self.out.push_str("</summary>");
            }
            _ => self.text(line),
        }
    }

    fn text(&mut self, text: &str) {
        let _ = Escaper::new(&mut self.out).write_str(text);
    }
}
