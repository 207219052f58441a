//! Reads a layer's archive entry by entry, the way Go's reader does, since that is what layers are written for. The header's
//! fields are read by the `tar` crate; its reader is not used, since it takes a newline inside an extended header's value (a
//! file capability may well hold one) for the end of the record and loses what follows.

use super::tree::Attributes;
use nix::libc;
use nix::sys::time::TimeSpec;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// Longest name or extended header taken into memory; Linux paths end at 4 KiB, attributes at 64 KiB each.
const LONGEST_EXTENSION: u64 = 1024 * 1024;
const XATTR: &[u8] = b"SCHILY.xattr.";
/// Attributes through which overlayfs would be told things about other layers; only we may write those.
const OVERLAY_XATTRS: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// As written; not to be trusted.
    pub path: PathBuf,
    pub link: PathBuf,
    pub kind: Kind,
    pub attributes: Attributes,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    Link,
    Char { major: u64, minor: u64 },
    Block { major: u64, minor: u64 },
    Fifo,
}

pub struct Archive<R> {
    from: R,
    /// Of the current entry.
    content: u64,
    padding: u64,
}

/// What stood before an entry and is about it.
#[derive(Debug, Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    modified: Option<TimeSpec>,
    xattrs: Vec<(OsString, Vec<u8>)>,
}

impl<R: Read> Archive<R> {
    pub fn new(from: R) -> Archive<R> {
        Archive { from, content: 0, padding: 0 }
    }

    /// The next entry; its content is then read from the archive itself. What was not read of the last one is skipped.
    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        let mut extensions = Extensions::default();
        loop {
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let size = blank_or(&header.as_old().size, || header.entry_size())?;
            match header.entry_type() {
                EntryType::XHeader => extensions.read(&self.extension(size)?)?,
                EntryType::GNULongName => extensions.path = Some(until_nul(self.extension(size)?)),
                EntryType::GNULongLink => extensions.link = Some(until_nul(self.extension(size)?)),
                EntryType::XGlobalHeader => self.expect(size),
                _ => {
                    let size = extensions.size.unwrap_or(size);
                    let entry = extensions.complete(&header)?;
                    // Others have no content, whatever the header says.
                    self.expect(if entry.kind == Kind::File { size } else { 0 });
                    return Ok(Some(entry));
                }
            }
        }
    }

    /// `None` at the end: a block of zeroes, or nothing more.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let rest = self.content + self.padding;
        if io::copy(&mut self.from.by_ref().take(rest), &mut io::sink())? != rest {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.expect(0);
        let mut block = Vec::with_capacity(BLOCK);
        self.from.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if block.len() < BLOCK {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let header = Header::from_byte_slice(&block).clone();
        if header.cksum()? != checksum(&block) {
            return Err(refused("not an archive: the checksum of a header is wrong"));
        }
        Ok(Some(header))
    }

    fn expect(&mut self, content: u64) {
        self.content = content;
        self.padding = content.wrapping_neg() % BLOCK as u64;
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > LONGEST_EXTENSION {
            return Err(refused("an extended header is too long"));
        }
        self.expect(size);
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.content).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let count = self.from.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.content -= count as u64;
        Ok(count)
    }
}

impl Extensions {
    /// Records of `length key=value\n`; the length counts itself.
    fn read(&mut self, mut records: &[u8]) -> io::Result<()> {
        let malformed = || refused("malformed extended header");
        while !records.is_empty() {
            let space = records.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
            let length = number(&records[..space]).and_then(|length| usize::try_from(length).ok()).ok_or_else(malformed)?;
            let record = records.get(space + 1..length).ok_or_else(malformed)?;
            let record = record.strip_suffix(b"\n").ok_or_else(malformed)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(malformed)?;
            self.take(&record[..equals], &record[equals + 1..])?;
            records = &records[length..];
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let malformed = || refused(format!("malformed {} in an extended header", String::from_utf8_lossy(key)));
        match key {
            _ if value.is_empty() => {}
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number(value).ok_or_else(malformed)?),
            b"uid" => self.uid = Some(number(value).ok_or_else(malformed)?),
            b"gid" => self.gid = Some(number(value).ok_or_else(malformed)?),
            b"mtime" => self.modified = Some(seconds(value).ok_or_else(malformed)?),
            _ if key.starts_with(b"GNU.sparse.") => return Err(refused("sparse files in layers are not supported")),
            _ => self.xattrs.extend(xattr(key, value)),
        }
        Ok(())
    }

    fn complete(self, header: &Header) -> io::Result<Entry> {
        let owner = |id: u64| u32::try_from(id).map_err(|_| refused(format!("owner {id} is out of range")));
        let fields = header.as_old();
        let modified = || {
            let seconds = blank_or(&fields.mtime, || header.mtime())?;
            io::Result::Ok(TimeSpec::new(seconds.min(i64::MAX as u64) as libc::time_t, 0))
        };
        let path = self.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = self.link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
        Ok(Entry {
            kind: kind(header, &path)?,
            path: PathBuf::from(OsString::from_vec(path)),
            link: PathBuf::from(OsString::from_vec(link)),
            attributes: Attributes {
                uid: owner(self.uid.map_or_else(|| blank_or(&fields.uid, || header.uid()), Ok)?)?,
                gid: owner(self.gid.map_or_else(|| blank_or(&fields.gid, || header.gid()), Ok)?)?,
                mode: blank_or(&fields.mode, || header.mode().map(u64::from))? as u32 & 0o7777,
                modified: self.modified.map_or_else(modified, Ok)?,
                xattrs: self.xattrs,
            },
        })
    }
}

/// A field that was left out is zero.
fn blank_or(field: &[u8], read: impl FnOnce() -> io::Result<u64>) -> io::Result<u64> {
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) { Ok(0) } else { read() }
}

fn kind(header: &Header, path: &[u8]) -> io::Result<Kind> {
    let major = || Ok::<u64, io::Error>(header.device_major()?.unwrap_or(0).into());
    let minor = || Ok::<u64, io::Error>(header.device_minor()?.unwrap_or(0).into());
    match header.entry_type() {
        // Archives older than POSIX's mark a directory so.
        EntryType::Regular if path.ends_with(b"/") => Ok(Kind::Directory),
        EntryType::Regular | EntryType::Continuous => Ok(Kind::File),
        EntryType::Directory => Ok(Kind::Directory),
        EntryType::Symlink => Ok(Kind::Symlink),
        EntryType::Link => Ok(Kind::Link),
        EntryType::Char => Ok(Kind::Char { major: major()?, minor: minor()? }),
        EntryType::Block => Ok(Kind::Block { major: major()?, minor: minor()? }),
        EntryType::Fifo => Ok(Kind::Fifo),
        EntryType::GNUSparse => Err(refused("sparse files in layers are not supported")),
        other => Err(refused(format!("unsupported entry type {:?}", char::from(other.as_byte())))),
    }
}

fn xattr(key: &[u8], value: &[u8]) -> Option<(OsString, Vec<u8>)> {
    let name = key.strip_prefix(XATTR)?;
    let ours = OVERLAY_XATTRS.iter().any(|prefix| name.starts_with(prefix));
    (!ours).then(|| (OsStr::from_bytes(name).to_owned(), value.to_vec()))
}

/// Of the header with its own checksum taken for spaces.
fn checksum(block: &[u8]) -> u32 {
    let byte = |(at, byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) };
    block.iter().enumerate().map(byte).sum()
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `1700000000.25`, the extended header's form of a time.
fn seconds(text: &[u8]) -> Option<TimeSpec> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(TimeSpec::new(whole.parse().ok()?, nanoseconds))
}

pub fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extensions(records: &[u8]) -> io::Result<Extensions> {
        let mut extensions = Extensions::default();
        extensions.read(records).map(|()| extensions)
    }

    #[test]
    fn a_newline_in_a_value_does_not_end_the_record() {
        let read = extensions(b"31 SCHILY.xattr.user.a=\n\nb=\nc\n\n11 path=x\n").unwrap_err();
        assert_eq!(read.to_string(), "malformed extended header", "the length counts");
        let read = extensions(b"30 SCHILY.xattr.user.a=\n\nb=\nc\n10 path=x\n").unwrap();
        assert_eq!(read.xattrs, [("user.a".into(), b"\n\nb=\nc".to_vec())]);
        assert_eq!(read.path.as_deref(), Some(&b"x"[..]));
    }

    #[test]
    fn malformed_extensions_are_refused() {
        for bad in ["x", "5 a\n", "99 a=b\n", "0 a=b\n", "6 a=b", "7 a=b\n", "12 size=-1x\n", "18 GNU.sparse.a=b\n"] {
            assert!(extensions(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_image_cannot_speak_to_overlayfs() {
        let read = extensions(b"48 SCHILY.xattr.trusted.overlay.redirect=/../x\n").unwrap_or_default();
        assert!(read.xattrs.is_empty());
    }

    #[test]
    fn times_have_fractions() {
        assert_eq!(seconds(b"17.25"), Some(TimeSpec::new(17, 250_000_000)));
        assert_eq!(seconds(b"17"), Some(TimeSpec::new(17, 0)));
        assert_eq!(seconds(b"17.1234567891"), Some(TimeSpec::new(17, 123_456_789)));
        assert_eq!(seconds(b"soon"), None);
    }

    #[test]
    fn a_torn_archive_is_an_error() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(600);
        builder.append_data(&mut header, "a", &[7; 600][..]).unwrap();
        let whole = builder.into_inner().unwrap();
        let read = |bytes: &[u8]| {
            let mut archive = Archive::new(bytes);
            while archive.next()?.is_some() {}
            io::Result::Ok(())
        };
        assert!(read(&whole).is_ok());
        for length in [100, 511, 512, 513, 1100] {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        let mut broken = whole.clone();
        broken[3] ^= 1;
        assert!(read(&broken).is_err());
    }
}
