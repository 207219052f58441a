//! Directory trees as text, one line an entry, to write layers with and to look at unpacked ones:
//! `f 644 0:0 path text` · `d 755 0:0 path` · `l path -> target` · `h path => target` · `c 666 0:0 path 1:3` · `p 644 0:0 path`
//! · `w path`, a whiteout on disk. `xattr.name=value` and `opaque` may follow files and directories.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use tar::{Builder, EntryType, Header};

pub const MODIFIED: u64 = 1_700_000_000;

/// The archive of a layer described so.
pub fn pack(text: &str) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        append(&mut builder, line);
    }
    builder.into_inner().unwrap()
}

fn append(builder: &mut Builder<Vec<u8>>, line: &str) {
    let (kind, rest) = line.split_once(' ').unwrap();
    let mut header = Header::new_ustar();
    header.set_mtime(MODIFIED);
    header.set_size(0);
    header.set_mode(0o777);
    header.set_uid(0);
    header.set_gid(0);
    if let "l" | "h" = kind {
        let (path, target) = rest.split_once(if kind == "l" { " -> " } else { " => " }).unwrap();
        header.set_entry_type(if kind == "l" { EntryType::Symlink } else { EntryType::Link });
        return add(builder, header, path, target.as_bytes(), &[]);
    }
    let mut words = rest.split(' ');
    let mut next = || words.next().unwrap_or_default();
    header.set_mode(u32::from_str_radix(next(), 8).unwrap());
    let (uid, gid) = next().split_once(':').unwrap();
    let path = next();
    let mut xattrs = Vec::new();
    let mut text = Vec::new();
    for word in words {
        match word.strip_prefix("xattr.").and_then(|xattr| xattr.split_once('=')) {
            Some((name, value)) => xattrs.push((format!("SCHILY.xattr.{name}"), value.replace("\\n", "\n"))),
            None => text.push(word),
        }
    }
    header.set_uid(uid.parse().unwrap());
    header.set_gid(gid.parse().unwrap());
    let text = text.join(" ");
    match kind {
        "f" => header.set_size(text.len() as u64),
        "d" => header.set_entry_type(EntryType::Directory),
        "p" => header.set_entry_type(EntryType::Fifo),
        "c" | "b" => {
            header.set_entry_type(if kind == "c" { EntryType::Char } else { EntryType::Block });
            let (major, minor) = text.split_once(':').unwrap();
            header.set_device_major(major.parse().unwrap()).unwrap();
            header.set_device_minor(minor.parse().unwrap()).unwrap();
            return add(builder, header, path, b"", &xattrs);
        }
        other => panic!("{other}"),
    }
    add(builder, header, path, text.as_bytes(), &xattrs);
}

/// Raw, since a builder refuses the names that attackers write; long names go into an extended header.
fn add(builder: &mut Builder<Vec<u8>>, mut header: Header, path: &str, content: &[u8], xattrs: &[(String, String)]) {
    let is_link = matches!(header.entry_type(), EntryType::Symlink | EntryType::Link);
    let mut extensions: Vec<(&str, &[u8])> = xattrs.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    if path.len() <= 100 {
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    } else {
        extensions.push(("path", path.as_bytes()));
    }
    if is_link && content.len() <= 100 {
        header.as_old_mut().linkname[..content.len()].copy_from_slice(content);
    } else if is_link {
        extensions.push(("linkpath", content));
    }
    if !extensions.is_empty() {
        builder.append_pax_extensions(extensions).unwrap();
    }
    header.set_cksum();
    builder.append(&header, if is_link { &b""[..] } else { content }).unwrap();
}

/// What lies under `root`, in order of names.
pub fn list(root: &Path) -> String {
    let mut lines = Vec::new();
    let mut inodes = BTreeMap::new();
    walk(root, root, &mut lines, &mut inodes);
    lines.join("\n")
}

fn walk(root: &Path, directory: &Path, lines: &mut Vec<String>, inodes: &mut BTreeMap<u64, String>) {
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let kind = metadata.file_type();
        if !kind.is_dir()
            && let Some(first) = inodes.insert(metadata.ino(), name.clone())
        {
            lines.push(format!("h {name} => {first}"));
            inodes.insert(metadata.ino(), first);
            continue;
        }
        lines.push(describe(&path, &name, &metadata));
        if kind.is_dir() {
            walk(root, &path, lines, inodes);
        }
    }
}

fn describe(path: &Path, name: &str, metadata: &fs::Metadata) -> String {
    let kind = metadata.file_type();
    let what = format!("{:o} {}:{} {name}", metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
    let device = format!("{}:{}", nix::sys::stat::major(metadata.rdev()), nix::sys::stat::minor(metadata.rdev()));
    let mut line = if kind.is_symlink() {
        return format!("l {name} -> {}", fs::read_link(path).unwrap().display());
    } else if kind.is_dir() {
        format!("d {what}")
    } else if kind.is_fifo() {
        format!("p {what}")
    } else if kind.is_char_device() && metadata.rdev() == 0 {
        return format!("w {name}");
    } else if kind.is_char_device() {
        format!("c {what} {device}")
    } else if kind.is_block_device() {
        format!("b {what} {device}")
    } else {
        format!("f {what} {}", String::from_utf8_lossy(&fs::read(path).unwrap())).trim_end().to_owned()
    };
    let mut names: Vec<String> = xattr::list(path).unwrap().map(|name| name.into_string().unwrap()).collect();
    names.sort();
    for xattr in names {
        let value = String::from_utf8(xattr::get(path, &xattr).unwrap().unwrap()).unwrap().replace('\n', "\\n");
        let opaque = xattr == "trusted.overlay.opaque" && value == "y";
        line += &if opaque { " opaque".to_owned() } else { format!(" xattr.{xattr}={value}") };
    }
    line
}

/// Reads `list`'s form of a file to be unpacked; for trees that are both written and looked at.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::File::create(path).unwrap().write_all(bytes).unwrap();
}
