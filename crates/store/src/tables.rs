//! Which tables there are, and how their stored bytes become rows again. Built once, from what the services declare.

use crate::backend::Row;
use crate::image::Image;
use crate::record::Record;
use crate::{Error, Result, Revision};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;

type Decode = fn(&mut Image, &Row) -> std::result::Result<(), String>;

#[derive(Clone, Default)]
pub struct Tables(BTreeMap<&'static str, Decode>);

/// A row as it is stored.
#[derive(Serialize, Deserialize)]
struct Envelope<R> {
    v: u32,
    r: R,
}

impl Tables {
    pub fn add<R: Record>(&mut self) {
        self.0.insert(R::TABLE, decode::<R>);
    }

    pub fn merge(&mut self, other: Tables) {
        self.0.extend(other.0);
    }

    /// The whole image from what a backend loaded. A row that cannot be read is an error, never dropped.
    pub fn image(&self, revision: Revision, rows: Vec<Row>) -> Result<Image> {
        let mut image = Image::at(revision);
        for row in rows {
            let decode = self.0.get(row.table.as_str()).ok_or_else(|| Error::UnknownTable(row.table.clone()))?;
            decode(&mut image, &row).map_err(|message| Error::Row { table: row.table, key: row.key, message })?;
        }
        Ok(image)
    }
}

pub(crate) fn encode<R: Record>(record: &R) -> Vec<u8> {
    serde_json::to_vec(&Envelope { v: R::VERSION, r: record }).expect("records are plain data")
}

fn decode<R: Record>(image: &mut Image, row: &Row) -> std::result::Result<(), String> {
    let record: R = read(&row.value)?;
    let key = record.key();
    if key.as_str() != row.key {
        // Kept under the key it names, it would stay in the backend when it is deleted here.
        return Err(format!("it names itself {key}"));
    }
    image.insert(record);
    Ok(())
}

fn read<R: Record>(bytes: &[u8]) -> std::result::Result<R, String> {
    let current = serde_json::from_slice::<Envelope<R>>(bytes);
    // A record of another version may or may not fit the type of today.
    let version = match &current {
        Ok(envelope) => Ok(envelope.v),
        Err(_) => serde_json::from_slice::<Envelope<IgnoredAny>>(bytes).map(|envelope| envelope.v),
    };
    let version = version.map_err(|error| error.to_string())?;
    let record = match version.cmp(&R::VERSION) {
        Ordering::Equal => current.map(|envelope| envelope.r),
        Ordering::Less => migrated(version, bytes),
        Ordering::Greater => return Err(format!("version {version} is newer than this binary's {}", R::VERSION)),
    };
    record.map_err(|error| error.to_string())
}

fn migrated<R: Record>(version: u32, bytes: &[u8]) -> serde_json::Result<R> {
    let Envelope { r, .. } = serde_json::from_slice::<Envelope<Value>>(bytes)?;
    serde_json::from_value(R::migrate(version, r))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;
    use expect_test::{Expect, expect};

    /// Since version 2 a name; version 1 said `title`.
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Book {
        id: u32,
        name: String,
    }

    impl Record for Book {
        const TABLE: &'static str = "test/book";
        const VERSION: u32 = 2;

        fn key(&self) -> Key {
            Key::new(self.id.to_string())
        }

        fn migrate(from: u32, mut row: Value) -> Value {
            assert_eq!(from, 1);
            let title = row["title"].take();
            row["name"] = title;
            row
        }
    }

    fn check(path: &str, value: &str, expected: Expect) {
        let (table, key) = path.rsplit_once('/').unwrap();
        let row = Row { table: table.into(), key: key.into(), value: value.as_bytes().to_vec() };
        let mut tables = Tables::default();
        tables.add::<Book>();
        match tables.image(1, vec![row]) {
            Ok(image) => expected.assert_eq(&format!("{:?}", image.get::<Book>(key).unwrap())),
            Err(error) => expected.assert_eq(&error.to_string()),
        }
    }

    #[test]
    fn a_row_of_this_version_is_read() {
        check("test/book/7", r#"{"v":2,"r":{"id":7,"name":"x"}}"#, expect![[r#"Book { id: 7, name: "x" }"#]]);
    }

    #[test]
    fn a_row_of_an_older_version_is_migrated() {
        check("test/book/7", r#"{"v":1,"r":{"id":7,"title":"x"}}"#, expect![[r#"Book { id: 7, name: "x" }"#]]);
        check("test/book/7", r#"{"v":1,"r":{"id":7,"title":"x","name":"y"}}"#, expect![[r#"Book { id: 7, name: "x" }"#]]);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_an_error_that_names_it() {
        check(
            "test/book/7",
            r#"{"v":3,"r":{"id":7,"name":"x"}}"#,
            expect!["row test/book/7 cannot be read: version 3 is newer than this binary's 2"],
        );
        check(
            "test/book/7",
            r#"{"v":3,"r":{}}"#,
            expect!["row test/book/7 cannot be read: version 3 is newer than this binary's 2"],
        );
        check(
            "test/book/7",
            r#"{"v":2,"r":{"id":7}}"#,
            expect!["row test/book/7 cannot be read: missing field `name` at line 1 column 19"],
        );
        check(
            "test/book/7",
            r#"{"v":1,"r":{"id":7}}"#,
            expect!["row test/book/7 cannot be read: invalid type: null, expected a string"],
        );
        check("test/book/7", "", expect!["row test/book/7 cannot be read: EOF while parsing a value at line 1 column 0"]);
        check("test/book/7", "{}", expect!["row test/book/7 cannot be read: missing field `v` at line 1 column 2"]);
    }

    #[test]
    fn a_row_under_another_key_than_its_own_is_an_error() {
        check("test/book/8", r#"{"v":2,"r":{"id":7,"name":"x"}}"#, expect!["row test/book/8 cannot be read: it names itself 7"]);
    }

    #[test]
    fn a_table_of_a_newer_binary_is_an_error() {
        check("test/film/7", "{}", expect!["table test/film is not known to this version"]);
    }
}
