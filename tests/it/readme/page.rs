//! The pages: README, the pages beside it and those under `docs/`, cut into fenced blocks and
//! prose.
//!
//! The language of a block says which check runs it. The text of a page is read from disk, so that
//! a new page is checked without being listed anywhere.

use std::{fs, path::Path};

/// A page, with its path below the repository.
pub(super) struct Page {
    pub(super) name: String,
    pub(super) text: String,
}

/// What is done with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// `bash`: runs in one shell, in order, in front of one `weir dev`.
    Shell,
    /// `text` right after commands: is compared with what they print.
    Output,
    /// `text` elsewhere: must be a drawing.
    Drawing,
    /// `sh`: commands that stay running, or that build.
    Command,
    /// `json`: a line of the log.
    LogLine,
    /// `json` that begins with a version: a line of the decision log, over several lines.
    Recorded,
    /// `toml`: a configuration.
    Configuration,
    /// `ini`: a unit of systemd.
    Unit,
    /// `rust`: lines of the example.
    Excerpt,
}

/// A fenced block, with the indentation of a list taken away.
pub(super) struct Block {
    pub(super) text: String,
    /// `None`: no check runs it.
    pub(super) check: Option<Check>,
}

impl Page {
    /// Every page of the repository, the README first.
    pub(super) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<String> = ["", "docs/"]
            .iter()
            .flat_map(|folder| {
                let files = fs::read_dir(root.join(folder)).expect("a folder");
                files.map(move |file| format!("{folder}{}", name_of(&file.expect("a file"))))
            })
            .filter(|name| name.ends_with(".md"))
            .collect();
        names.sort_by_key(|name| (name != "README.md", name.clone()));
        names
            .into_iter()
            .map(|name| {
                let text = fs::read_to_string(root.join(&name)).expect("a page");
                Self { name, text }
            })
            .collect()
    }

    /// The README.
    pub(super) fn readme() -> Self {
        Self::all().swap_remove(0)
    }

    /// The fenced blocks, in order.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut lines = self.text.lines();
        // Whether nothing but empty lines is between here and the block before.
        let mut follows = false;
        while let Some(line) = lines.next() {
            let Some((indent, language)) =
                line.split_once("```").filter(|(before, _)| before.trim().is_empty())
            else {
                follows &= line.is_empty();
                continue;
            };
            let inside = lines.by_ref().take_while(|line| line.trim() != "```");
            let inside = inside.map(|line| line.strip_prefix(indent).unwrap_or(line));
            let text = inside.collect::<Vec<_>>().join("\n");
            let before = blocks.last().filter(|_| follows).and_then(|block| block.check);
            blocks.push(Block { check: check(language, &text, before), text });
            follows = true;
        }
        blocks
    }

    /// The blocks that one check runs.
    pub(super) fn checked_by(&self, check: Check) -> Vec<String> {
        let blocks = self.blocks().into_iter().filter(|block| block.check == Some(check));
        blocks.map(|block| block.text).collect()
    }

    /// The page without its fenced blocks.
    pub(super) fn prose(&self) -> String {
        let mut fenced = false;
        let lines = self.text.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The first line of code that Markdown knows by other marks than three backticks: by tildes,
    /// or by four spaces after an empty line.
    pub(super) fn code_without_language(&self) -> Option<String> {
        let prose = self.prose();
        let after_empty =
            |line: &&str, before: &str| line.starts_with("    ") && before.trim().is_empty();
        let lines = prose.lines().zip(std::iter::once("").chain(prose.lines()));
        let mut hidden = lines
            .filter(|(line, before)| line.trim().starts_with("~~~") || after_empty(line, before));
        hidden.next().map(|(line, _)| line.to_owned())
    }

    /// What the prose shows as code.
    pub(super) fn code_spans(&self) -> Vec<String> {
        let prose = self.prose();
        let paragraphs = prose.split("\n\n");
        paragraphs.flat_map(|text| text.split('`').skip(1).step_by(2)).map(unwrapped).collect()
    }

    /// Where the prose links to.
    pub(super) fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let links = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        links.map(str::to_owned).collect()
    }
}

fn name_of(file: &fs::DirEntry) -> String {
    file.file_name().to_string_lossy().into_owned()
}

/// A span that goes on in the next line, in one line.
fn unwrapped(span: &str) -> String {
    span.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The check of a block; `before` is that of the block right before it.
fn check(language: &str, text: &str, before: Option<Check>) -> Option<Check> {
    match language {
        "bash" => Some(Check::Shell),
        "text" if before == Some(Check::Shell) => Some(Check::Output),
        "text" if text.contains(['─', '│']) => Some(Check::Drawing),
        "sh" => Some(Check::Command),
        "json" if text.starts_with("{\n  \"v\":") => Some(Check::Recorded),
        "json" => Some(Check::LogLine),
        "toml" => Some(Check::Configuration),
        "ini" => Some(Check::Unit),
        "rust" => Some(Check::Excerpt),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page { name: "page.md".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_block_is_checked_by_its_language_and_by_what_it_follows() {
        for (text, expected) in [
            (
                "```bash\nls\n```\n\n```text\na\n```\n",
                vec![Some(Check::Shell), Some(Check::Output)],
            ),
            ("```bash\nls\n```\nIt prints:\n```text\na\n```\n", vec![Some(Check::Shell), None]),
            ("```sh\nls\n```\n```text\na\n```\n", vec![Some(Check::Command), None]),
            ("```text\na ─▶ b\n```\n", vec![Some(Check::Drawing)]),
            ("```text\na\n```\n", vec![None]),
            ("```console\n$ ls\n```\n", vec![None]),
            ("```yaml\na: b\n```\n", vec![None]),
            ("```\nls\n```\n", vec![None]),
            ("1. One\n   ```toml\n   a = 1\n   ```\n", vec![Some(Check::Configuration)]),
            ("no block", vec![]),
        ] {
            let found: Vec<_> = page(text).blocks().iter().map(|block| block.check).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_block_loses_the_indentation_of_its_list() {
        let blocks = page("1. One\n   ```sh\n   ls\n     -l\n   ```\n").blocks();
        assert_eq!(blocks[0].text, "ls\n  -l");
    }

    #[test]
    fn code_that_has_no_language_is_found() {
        for (text, expected) in [
            ("Run:\n\n    ls\n", Some("    ls")),
            ("~~~\nls\n~~~\n", Some("~~~")),
            ("10. One\n    goes on\n", None),
            ("```sh\n\n    ls\n```\n", None),
        ] {
            assert_eq!(page(text).code_without_language().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn spans_and_links_are_those_of_the_prose() {
        let page =
            page("See `weir\ncheck` in\n[it](docs/a.md).\n```sh\n`no` [no](no)\n```\nAnd `b`.\n");
        assert_eq!(page.code_spans(), ["weir check", "b"]);
        assert_eq!(page.links(), ["docs/a.md"]);
    }
}
