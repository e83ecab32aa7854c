//! The documents and messages have none of the words that `STYLE.md` replaces.
//!
//! The tests read the documents, and the string literals in `src` without comments, tests and the simulator. Every
//! literal counts as a message, because the tests can't tell which ones are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Words that are neither in documents nor in messages.
const WORDS: [&str; 13] = [
    "anew",
    "beside",
    "lest",
    "mend",
    "mended",
    "mending",
    "mends",
    "nobody",
    "somebody",
    "whence",
    "whoever",
    "whomever",
    "whosoever",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder whose names end like this, sorted.
fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|ext| ext == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The path as the documents write it.
fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/")
}

/// Each of the words in the text, with its line from `first` on.
fn find_words<'a>(text: &str, first: usize, words: &[&'a str]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for part in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
            let same = words.iter().find(|word| word.eq_ignore_ascii_case(part));
            found.extend(same.map(|word| (first + at, *word)));
        }
    }
    found
}

#[test]
fn documents_have_plain_words() {
    let mut paths = files_below(&root().join("docs"), "md");
    paths.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut found = Vec::new();
    for path in &paths {
        let name = name(path);
        let text = fs::read_to_string(path).unwrap();
        let hits = find_words(&text, 1, &WORDS);
        found.extend(hits.iter().map(|(line, word)| format!("{name}:{line}: {word}")));
    }
    assert!(paths.len() > 15, "only {} documents were found", paths.len());
    assert!(found.is_empty(), "see STYLE.md for words to take instead:\n{}", found.join("\n"));
}

#[test]
fn messages_have_plain_words() {
    let sources = files_below(&root().join("src"), "rs");
    let sources: Vec<(PathBuf, String)> =
        sources.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    let tests: BTreeSet<PathBuf> = sources.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let mut found = Vec::new();
    let mut read = 0;
    for (path, text) in &sources {
        let is_test =
            path.ancestors().any(|above| tests.contains(above) || tests.contains(&above.with_extension("")));
        if is_test || path.starts_with(root().join("src/simulator")) {
            continue;
        }
        for (line, literal) in string_literals(text) {
            let hits = find_words(&literal, line, &WORDS);
            found.extend(hits.iter().map(|(line, word)| format!("{}:{line}: {word}", name(path))));
            read += 1;
        }
    }
    assert!(read > 2000, "only {read} literals were found");
    assert!(found.is_empty(), "see STYLE.md for words to take instead:\n{}", found.join("\n"));
}

/// The modules in files of their own that a source file declares for tests alone, without extension.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let is_root = ["mod.rs", "lib.rs", "main.rs"].iter().any(|name| path.ends_with(name));
    let folder = if is_root { path.parent().unwrap().to_owned() } else { path.with_extension("") };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|pair| is_test_attribute(pair[0])).filter_map(|pair| {
        let (_, rest) = pair[1].split_once("mod ")?;
        rest.strip_suffix(';')
    });
    declared.map(|module| folder.join(module)).collect()
}

fn is_test_attribute(text: &str) -> bool {
    text.starts_with("#[cfg(test)]") || text.starts_with("#[cfg(all(test,")
}

/// The string literals outside of comments and tests, each with the line on which it begins. Escapes are blanks.
fn string_literals(source: &str) -> Vec<(usize, String)> {
    let mut literals = Vec::new();
    let mut rest = source;
    let mut line = 1;
    let mut depth = 0_i32;
    // How deep the item lies that is for tests alone, while inside it.
    let mut test_item: Option<i32> = None;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => {
                let (literal, length) = plain_literal(rest);
                literals.extend(test_item.is_none().then_some((line, literal)));
                length
            }
            'r' if rest[1..].trim_start_matches('#').starts_with('"') => {
                let hashes = rest[1..].find('"').unwrap();
                let text = &rest[hashes + 2..];
                let end = text.find(&format!("\"{}", "#".repeat(hashes))).expect("a raw literal ends");
                literals.extend(test_item.is_none().then(|| (line, text[..end].to_owned())));
                2 * hashes + end + 3
            }
            '\'' => character_length(rest),
            '#' if is_test_attribute(rest) => {
                test_item.get_or_insert(depth);
                rest.find(']').unwrap() + 1
            }
            '{' | '(' | '[' => {
                depth += 1;
                1
            }
            '}' | ')' | ']' => {
                depth -= 1;
                test_item = test_item.filter(|outer| depth > *outer || (c != '}' && depth == *outer));
                1
            }
            ';' | ',' => {
                test_item = test_item.filter(|outer| depth > *outer);
                1
            }
            _ => c.len_utf8(),
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    literals
}

/// A literal in quotes, and its length in the source.
fn plain_literal(text: &str) -> (String, usize) {
    let mut literal = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (literal, at + 1),
            '\\' => {
                let escaped = chars.next().map(|(_, c)| c);
                literal.push(if escaped == Some('\n') { '\n' } else { ' ' });
            }
            c => literal.push(c),
        }
    }
    panic!("a literal has no end: {text:.40}");
}

/// How long a character literal is, or the quote of a lifetime.
fn character_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, c))) => {
            let after = at + c.len_utf8();
            after + text[after..].find('\'').unwrap() + 1
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[test]
fn only_string_literals_are_extracted() {
    let source = r###"
        //! "a comment"
        fn f<'a>(c: char) -> &'a str { /* "another" */ if c == '"' || c == '\'' || c == '\u{22}' { "one" } else { r#"two "2""# } }
        const LINES: &str = "three\nends \
            here";
        #[cfg(test)]
        fn only(of: &str) -> bool { ["no", "none"].contains(&of) }
        #[cfg(test)]
        use std::{fmt, io};
        const LAST: &str = "four";
        #[cfg(all(test, unix))]
        mod tests { const NO: &str = "nor this"; }
    "###;
    let literals = string_literals(source);
    let found: Vec<(usize, &str)> = literals.iter().map(|(line, text)| (*line, text.as_str())).collect();
    assert_eq!(found, [(3, "one"), (3, "two \"2\""), (4, "three ends \n            here"), (10, "four")]);
    assert_eq!(find_words(found[2].1, 4, &["here", "hen"]), [(5, "here")]);
}
