//! A source file that no module names is compiled by nobody and read by everybody.

use super::{Finding, TextFile, rust_files};

/// Files that cargo finds by itself.
const ROOTS: [&str; 3] = ["lib.rs", "main.rs", "build.rs"];

pub fn check(files: &[TextFile]) -> Vec<Finding> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| &file.text);
    rust_files(files)
        .filter_map(|file| Some((file, module(&file.path)?)))
        .filter(|(_, (folder, name))| {
            let declaration = format!("mod {name};");
            let names_it =
                |parent: String| text(&parent).is_some_and(|it| it.contains(&declaration));
            !parents(folder).into_iter().any(names_it)
        })
        .map(|(file, (_, name))| {
            Finding::new(&file.path, 0, format!("no module says `mod {name};`"))
        })
        .collect()
}

/// The folder in which a file's module is declared, and the module's name; `None` for roots.
fn module(path: &str) -> Option<(&str, &str)> {
    let (folder, file) = path.rsplit_once('/')?;
    // A single test, example, benchmark or program is a root as well.
    let stands_alone = |name: &str| folder.ends_with(name) && !folder.contains("/src/");
    if ROOTS.contains(&file)
        || ["/tests", "/examples", "/benches"].into_iter().any(stands_alone)
        || folder.ends_with("/src/bin")
    {
        return None;
    }
    if file == "mod.rs" {
        folder.rsplit_once('/')
    } else {
        Some((folder, file.strip_suffix(".rs")?))
    }
}

/// The files that may declare the modules of a folder.
fn parents(folder: &str) -> Vec<String> {
    let mut parents: Vec<_> =
        ["mod.rs", "lib.rs", "main.rs"].iter().map(|file| format!("{folder}/{file}")).collect();
    parents.push(format!("{folder}.rs"));
    parents
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_file_that_no_module_names_is_found() {
        let files = [
            file("crates/a/src/lib.rs", "mod b;\npub mod c;\n"),
            file("crates/a/src/b.rs", "mod inner;\n"),
            file("crates/a/src/b/inner.rs", ""),
            file("crates/a/src/c/mod.rs", "#[cfg(test)]\nmod tests;\n"),
            file("crates/a/src/c/tests.rs", ""),
            file("crates/a/src/c/left_over.rs", ""),
            file("crates/a/tests/it/main.rs", "mod day;\n"),
            file("crates/a/tests/it/day.rs", ""),
            file("crates/a/tests/single.rs", ""),
            file("crates/a/build.rs", ""),
        ];
        let paths: Vec<_> = check(&files).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["crates/a/src/c/left_over.rs"]);
    }
}
