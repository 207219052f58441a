//! Which tables there are, and how their stored bytes become rows again. Built once, from what the services declare.

use crate::image::Image;
use crate::record::Record;
use crate::{Error, Result, Revision};
use serde::Deserialize;
use std::collections::BTreeMap;

type Decode = fn(&mut Image, &[u8]) -> std::result::Result<(), String>;

#[derive(Clone, Default)]
pub struct Tables(BTreeMap<&'static str, Decode>);

#[derive(Deserialize)]
struct Envelope {
    v: u32,
    r: serde_json::Value,
}

impl Tables {
    pub fn add<R: Record>(&mut self) {
        self.0.insert(R::TABLE, decode::<R>);
    }

    pub fn merge(&mut self, other: Tables) {
        self.0.extend(other.0);
    }

    /// The whole image from what a backend loaded. A row that cannot be read is an error, never dropped.
    pub fn image(&self, revision: Revision, rows: Vec<crate::backend::Row>) -> Result<Image> {
        let mut image = Image::at(revision);
        for row in rows {
            let decode = self.0.get(row.table.as_str()).ok_or_else(|| Error::UnknownTable(row.table.clone()))?;
            decode(&mut image, &row.value).map_err(|message| Error::Row { table: row.table, key: row.key, message })?;
        }
        Ok(image)
    }
}

fn decode<R: Record>(image: &mut Image, bytes: &[u8]) -> std::result::Result<(), String> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if envelope.v > R::VERSION {
        return Err(format!("version {} is newer than this binary's {}", envelope.v, R::VERSION));
    }
    let value = if envelope.v < R::VERSION { R::migrate(envelope.v, envelope.r) } else { envelope.r };
    image.insert(serde_json::from_value::<R>(value).map_err(|e| e.to_string())?);
    Ok(())
}
