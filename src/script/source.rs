//! Joins the parts of a script in `lua/lib/` and its own file at compile time.

/// The length of what [`join`] returns, in bytes.
pub(super) const fn length(files: &[&str]) -> usize {
    copy(files, &mut [])
}

/// The lines of code of all files, in order.
pub(super) const fn join<const N: usize>(files: &[&str]) -> [u8; N] {
    let mut joined = [0; N];
    copy(files, &mut joined);
    joined
}

/// Copies the lines of code of all files into `to`, as far as they fit, and returns their total length. Comments,
/// blank lines and indentation are left out, so that neither wasm nor server stores them.
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated at compile time, where going out of bounds is a compile error"
)]
const fn copy(files: &[&str], to: &mut [u8]) -> usize {
    let (mut file, mut length) = (0, 0);
    while file < files.len() {
        let bytes = files[file].as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            while bytes[at] == b' ' {
                at += 1;
            }
            let mut from = at;
            let is_code = bytes[at] != b'\n' && !(bytes[at] == b'-' && bytes[at + 1] == b'-');
            while bytes[at] != b'\n' {
                at += 1;
            }
            at += 1;
            while is_code && from < at {
                if length < to.len() {
                    to[length] = bytes[from];
                }
                length += 1;
                from += 1;
            }
        }
        file += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs::{read_dir, read_to_string},
    };

    use crate::script::Script;

    /// The names and contents of the Lua files in a folder, sorted by name.
    fn files(folder: &str) -> Vec<(String, String)> {
        let mut files: Vec<_> = read_dir(folder)
            .unwrap()
            .filter_map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name()?.to_str()?.strip_suffix(".lua")?.to_owned();
                Some((name, read_to_string(&path).unwrap()))
            })
            .collect();
        files.sort();
        files
    }

    /// The lines of a file that are sent to the server.
    fn code(file: &str) -> String {
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("--");
        file.split_inclusive('\n').filter(is_code).map(str::trim_start).collect()
    }

    fn parts_of(file: &str) -> impl Iterator<Item = &str> {
        let list = file.lines().find_map(|line| line.strip_prefix("-- PARTS: "));
        list.unwrap().split(", ").filter(|part| *part != "none")
    }

    #[test]
    fn every_script_is_sent_with_the_parts_that_its_header_names() {
        let (scripts, parts) = (files("lua"), files("lua/lib"));
        assert_eq!(scripts.len(), Script::ALL.len());
        for script in Script::ALL {
            let (_, file) = scripts.iter().find(|(name, _)| name == script.name).unwrap();
            let part = |name| &parts.iter().find(|(part, _)| part == name).unwrap().1;
            let joined: String = parts_of(file).map(part).chain([file]).map(|file| code(file)).collect();
            assert_eq!(script.source, joined, "{script:?}");
        }
        for (part, _) in &parts {
            let users = scripts.iter().filter(|(_, file)| parts_of(file).any(|name| name == part)).count();
            assert!(users > 1, "lib/{part} is used by {users} scripts");
        }
    }

    #[test]
    fn every_header_names_the_file_and_its_contract() {
        for (script, file) in files("lua") {
            let header: String =
                file.split_inclusive('\n').take_while(|line| line.starts_with("--")).collect();
            let lines = ["-- PARTS: ", "-- KEYS: ", "-- ARGV: nonce, ", "-- RETURNS: {nonce, "];
            for line in [format!("-- {script}: ").as_str()].into_iter().chain(lines) {
                assert!(header.lines().any(|found| found.starts_with(line)), "{script} lacks {line:?}");
            }
        }
        for (part, file) in files("lua/lib") {
            assert!(file.starts_with(&format!("-- lib/{part}: ")), "{part}");
        }
    }

    #[test]
    fn no_code_stands_in_two_files() {
        const RUN: usize = 3;
        let mut found: BTreeMap<Vec<String>, String> = BTreeMap::new();
        for (name, file) in files("lua").into_iter().chain(files("lua/lib")) {
            let code = code(&file);
            let is_trivial = |line: &&str| matches!(*line, "end" | "else");
            let lines: Vec<&str> = code.lines().map(str::trim).filter(|line| !is_trivial(line)).collect();
            for run in lines.windows(RUN) {
                let run: Vec<String> = run.iter().map(|&line| line.to_owned()).collect();
                let first = found.entry(run.clone()).or_insert_with(|| name.clone());
                assert_eq!(*first, name, "these lines stand in two files: {run:#?}");
            }
        }
    }
}
