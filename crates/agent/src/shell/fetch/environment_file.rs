//! An environment file, by the rules of the stock agent (`agent/taskresource/envFiles/envfile.go`): a line is `NAME=VALUE`, taken
//! as it stands, quotes and spaces included; one that begins with `#`, has no `=` or nothing on a side of it is passed over.

use std::collections::BTreeMap;

/// Of several files the first that has a variable wins; within one, its last line.
pub fn add(environment: &mut BTreeMap<String, String>, file: &[u8]) {
    for (name, value) in parse(&String::from_utf8_lossy(file)) {
        environment.entry(name).or_insert(value);
    }
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('=')).filter(|(name, value)| !name.is_empty() && !value.is_empty());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(files: &[&str], expected: Expect) {
        let mut environment = BTreeMap::new();
        files.iter().for_each(|file| add(&mut environment, file.as_bytes()));
        let lines = environment.iter().map(|(name, value)| format!("{name}={value}|"));
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn lines_are_taken_as_they_stand() {
        check(&["A=1\nB= 2 \r\nC=\"x=y\"\n"], expect![[r#"A=1|B= 2 |C="x=y"|"#]]);
        check(&["# A=1\n\nA\n=1\nB=\nC=# no comment"], expect!["C=# no comment|"]);
        check(&["A=1\nA=2"], expect!["A=2|"]);
    }

    #[test]
    fn the_first_file_wins() {
        check(&["A=1", "A=2\nB=2"], expect!["A=1|B=2|"]);
    }
}
