//! Documents: one title, headings that do not skip a level, links that lead somewhere.

use std::path::{Component, Path, PathBuf};

use super::{Finding, TextFile};

pub fn check(root: &Path, files: &[TextFile]) -> Vec<Finding> {
    let exists = |path: &str| root.join(path).exists();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        findings.extend(headings(file));
        findings.extend(links(file, files, &exists));
    }
    findings
}

fn headings(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut level_before = 0;
    for (number, line) in prose(&file.text) {
        let Some((level, _)) = heading(line) else { continue };
        let message = match (level_before, level) {
            (0, 1) => None,
            (0, _) => Some("the first heading is the title, `# …`"),
            (_, 1) => Some("a second title"),
            _ if level > level_before + 1 => Some("a heading skips a level"),
            _ => None,
        };
        findings.extend(message.map(|message| Finding::new(&file.path, number, message)));
        level_before = level;
    }
    if level_before == 0 {
        findings.push(Finding::new(&file.path, 1, "a document without a title"));
    }
    findings
}

/// Relative links have to exist, anchors in documents too. Foreign links are left alone: the
/// checks run without a network.
fn links(file: &TextFile, files: &[TextFile], exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in prose(&file.text) {
        for target in targets(line).filter(|target| !target.contains("://")) {
            if target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { file.path.clone() } else { resolve(&file.path, path) };
            let document = files.iter().find(|other| other.path == path);
            let message = if !exists(&path) && document.is_none() {
                Some(format!("`{target}` does not exist"))
            } else if !anchor.is_empty() && document.is_some_and(|it| !has_anchor(&it.text, anchor))
            {
                Some(format!("`{path}` has no heading `#{anchor}`"))
            } else {
                None
            };
            findings.extend(message.map(|message| Finding::new(&file.path, number, message)));
        }
    }
    findings
}

/// The lines outside of fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((number, line))
    })
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line[level..].strip_prefix(' ')?;
    (level > 0).then_some((level, title))
}

/// The targets of `[text](target)`, without what stands in backquotes.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let outside_code = line.split('`').step_by(2);
    let starts = outside_code.flat_map(|part| part.split("](").skip(1));
    starts.filter_map(|rest| rest.split([')', ' ']).next()).filter(|target| !target.is_empty())
}

fn resolve(document: &str, target: &str) -> String {
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let mut resolved = PathBuf::new();
    for component in folder.join(target).components() {
        match component {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    resolved.to_string_lossy().replace('\\', "/")
}

fn has_anchor(text: &str, anchor: &str) -> bool {
    prose(text).filter_map(|(_, line)| heading(line)).any(|(_, title)| slug(title) == anchor)
}

/// The anchor that the usual forges give a heading.
fn slug(title: &str) -> String {
    let kept = title.trim().chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    kept.flat_map(char::to_lowercase).map(|char| if char == ' ' { '-' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn messages(files: &[TextFile]) -> Vec<String> {
        check(Path::new("no such folder"), files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn headings_are_a_tree_with_one_title() {
        let good = "# Title\n\n## A\n\n```text\n# not a heading\n```\n\n### B\n\n## C\n";
        assert!(messages(&[file("a.md", good)]).is_empty());
        assert_eq!(messages(&[file("a.md", "# T\n### B\n")]), ["a.md:2: a heading skips a level"]);
        assert_eq!(messages(&[file("a.md", "# T\n# U\n")]), ["a.md:2: a second title"]);
        assert_eq!(messages(&[file("a.md", "text\n")]), ["a.md:1: a document without a title"]);
    }

    #[test]
    fn relative_links_and_anchors_resolve() {
        let files = [
            file(
                "docs/a.md",
                "# A\n[b](../b.md#how-to-sign) [self](#a) [w](https://x.y/z) `[c](c)`\n",
            ),
            file("b.md", "# B\n\n## How to sign?\n\n[gone](docs/gone.md) [a](docs/a.md#none)\n"),
        ];
        assert_eq!(
            messages(&files),
            ["b.md:5: `docs/gone.md` does not exist", "b.md:5: `docs/a.md` has no heading `#none`"]
        );
    }
}
