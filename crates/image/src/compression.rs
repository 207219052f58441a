//! Plain bytes out of plain, gzip or zstd ones, told apart by how they begin: media types in the wild are wrong too often.

use std::io::{self, BufReader, Cursor, Read};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const READ_AHEAD: usize = 128 * 1024;

pub fn decompress(mut from: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut beginning = Vec::new();
    from.by_ref().take(ZSTD.len() as u64).read_to_end(&mut beginning)?;
    let kind = beginning.clone();
    let whole = Cursor::new(beginning).chain(from);
    Ok(if kind.starts_with(&GZIP) {
        // Parallel and seekable gzip writers make many members of one file.
        Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(READ_AHEAD, whole)))
    } else if kind.starts_with(&ZSTD) {
        Box::new(zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(READ_AHEAD, whole))?)
    } else {
        Box::new(BufReader::with_capacity(READ_AHEAD, whole))
    })
}

/// Whether a file beginning so is compressed.
pub fn is_compressed(beginning: &[u8]) -> bool {
    beginning.starts_with(&GZIP) || beginning.starts_with(&ZSTD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_form_gives_the_same_bytes() {
        let text = b"some text, some text".to_vec();
        let halves = [gzip(&text[..9]), gzip(&text[9..])].concat();
        for form in [text.clone(), gzip(&text), halves, zstd::encode_all(&text[..], 1).unwrap()] {
            let mut plain = Vec::new();
            decompress(Cursor::new(form)).unwrap().read_to_end(&mut plain).unwrap();
            assert_eq!(plain, text);
        }
        for short in [&b""[..], b"a", &GZIP[..1]] {
            let mut plain = Vec::new();
            decompress(Cursor::new(short.to_vec())).unwrap().read_to_end(&mut plain).unwrap();
            assert_eq!(plain, short);
        }
    }
}
