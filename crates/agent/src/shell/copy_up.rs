//! What Docker does when a volume is first mounted: if it is empty, it gets what the image has at that place, with owners,
//! modes and attributes. Reads an image's layers as overlayfs would merge them, without mounting anything.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const OPAQUE: &str = "trusted.overlay.opaque";
/// Attributes of the merge itself.
const OVERLAY: &str = "trusted.overlay.";
/// As the kernel's limit on following symbolic links.
const LINKS: usize = 40;
/// One copy at a time: containers of a task that start together may share an empty volume.
static COPYING: Mutex<()> = Mutex::new(());

/// What a path is in the merged image.
enum Entry {
    /// Its part in each layer, uppermost first.
    Directory(Vec<PathBuf>),
    Other(PathBuf),
}

/// `layers` lowest first. Does nothing if the volume holds anything or the image has no directory there.
pub fn fill(layers: &[PathBuf], inside: &str, volume: &Path) -> io::Result<()> {
    let Some(directory) = directory_at(layers, inside)? else { return Ok(()) };
    let _one = COPYING.lock().unwrap_or_else(PoisonError::into_inner);
    let mark = unfinished(volume);
    if !mark.exists() && fs::read_dir(volume)?.next().is_some() {
        return Ok(());
    }
    fs::write(&mark, "")?;
    copy_directory(&directory, volume)?;
    fs::remove_file(&mark)
}

/// Is there while a copy is under way, so that one that was cut off is done again.
fn unfinished(volume: &Path) -> PathBuf {
    let name = volume.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    volume.with_file_name(format!(".filling-{name}"))
}

/// The directory that `inside` leads to, symbolic links followed within the image.
fn directory_at(layers: &[PathBuf], inside: &str) -> io::Result<Option<Vec<PathBuf>>> {
    let root: Vec<PathBuf> = layers.iter().rev().cloned().collect();
    let mut way = vec![root];
    let mut ahead: Vec<OsString> = parts(Path::new(inside));
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            way.truncate(way.len().max(2) - 1);
            continue;
        }
        match entry(way.last().expect("the root stays"), &part)? {
            None => return Ok(None),
            Some(Entry::Directory(directory)) => way.push(directory),
            Some(Entry::Other(path)) if path.is_symlink() && links < LINKS => {
                let target = fs::read_link(&path)?;
                way.truncate(if target.is_absolute() { 1 } else { way.len() });
                ahead.extend(parts(&target));
                links += 1;
            }
            Some(Entry::Other(_)) => return Ok(None),
        }
    }
    Ok(way.pop())
}

/// Last first, to be popped.
fn parts(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut parts: Vec<OsString> = names.collect();
    parts.reverse();
    parts
}

fn entry(directory: &[PathBuf], name: &OsString) -> io::Result<Option<Entry>> {
    let mut found = vec![];
    for part in directory {
        let path = part.join(name);
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if metadata.file_type().is_char_device() && metadata.rdev() == 0 {
            break; // a whiteout hides what is below
        }
        if !metadata.is_dir() {
            return Ok(if found.is_empty() { Some(Entry::Other(path)) } else { Some(Entry::Directory(found)) });
        }
        let opaque = xattr::get(&path, OPAQUE).ok().flatten().is_some_and(|value| value == b"y");
        found.push(path);
        if opaque {
            break;
        }
    }
    Ok((!found.is_empty()).then_some(Entry::Directory(found)))
}

fn copy_directory(directory: &[PathBuf], target: &Path) -> io::Result<()> {
    let mut names = BTreeSet::new();
    for part in directory {
        for child in fs::read_dir(part)? {
            names.insert(child?.file_name());
        }
    }
    for name in names {
        match entry(directory, &name)? {
            None => {}
            Some(Entry::Other(path)) => copy_other(&path, &target.join(name))?,
            Some(Entry::Directory(parts)) => {
                let target = target.join(name);
                fs::create_dir_all(&target)?;
                copy_directory(&parts, &target)?;
            }
        }
    }
    copy_attributes(&directory[0], target)
}

fn copy_other(source: &Path, target: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(source)?.file_type();
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if kind.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(source)?, target)?;
    } else if kind.is_file() {
        fs::copy(source, target)?;
    } else {
        return Ok(()); // sockets, pipes and devices in a volume of an image mean nothing
    }
    copy_attributes(source, target)
}

/// The owner first: changing it takes setuid bits away.
fn copy_attributes(source: &Path, target: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(source)?;
    lchown(target, Some(metadata.uid()), Some(metadata.gid()))?;
    if metadata.is_symlink() {
        return Ok(());
    }
    fs::set_permissions(target, fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    copy_extended(source, target);
    let times = fs::FileTimes::new().set_accessed(metadata.accessed()?).set_modified(metadata.modified()?);
    fs::File::open(target)?.set_times(times)
}

/// Best effort, as a file system may not have them.
fn copy_extended(source: &Path, target: &Path) {
    for name in xattr::list(source).into_iter().flatten() {
        if name.to_string_lossy().starts_with(OVERLAY) {
            continue;
        }
        if let Ok(Some(value)) = xattr::get(source, &name) {
            let _ = xattr::set(target, &name, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write;

    /// Layers from words, lowest first, `|` between them: `dir/file=content`, `link>target`, `dir/`.
    fn layers(root: &Path, text: &str) -> Vec<PathBuf> {
        let layer = |(n, words): (usize, &str)| {
            let layer = root.join(n.to_string());
            fs::create_dir_all(&layer).unwrap();
            words.split_whitespace().for_each(|word| make(&layer, word));
            layer
        };
        text.split('|').enumerate().map(layer).collect()
    }

    fn make(layer: &Path, word: &str) {
        let (path, content) = word.split_once(['=', '>']).unwrap_or((word, ""));
        let path = layer.join(path);
        fs::create_dir_all(if word.ends_with('/') { &path } else { path.parent().unwrap() }).unwrap();
        if word.contains('>') {
            std::os::unix::fs::symlink(content, &path).unwrap();
        } else if word.contains('=') {
            fs::write(&path, content).unwrap();
        }
    }

    fn show(directory: &Path, depth: &str, text: &mut String) {
        let mut children: Vec<_> = fs::read_dir(directory).unwrap().map(|child| child.unwrap().path()).collect();
        children.sort();
        for child in children {
            let name = child.file_name().unwrap().to_string_lossy().into_owned();
            if child.is_symlink() {
                writeln!(text, "{depth}{name} -> {}", fs::read_link(&child).unwrap().display()).unwrap();
            } else if child.is_dir() {
                writeln!(text, "{depth}{name}/").unwrap();
                show(&child, &format!("{depth}  "), text);
            } else {
                writeln!(text, "{depth}{name} {}", fs::read_to_string(&child).unwrap()).unwrap();
            }
        }
    }

    fn check(image: &str, inside: &str, in_volume: &str, expected: Expect) {
        let root = tempfile::tempdir().unwrap();
        let layers = layers(root.path(), image);
        let volume = root.path().join("volume");
        fs::create_dir(&volume).unwrap();
        in_volume.split_whitespace().for_each(|word| make(&volume, word));
        fill(&layers, inside, &volume).unwrap();
        let mut text = String::new();
        show(&volume, "", &mut text);
        expected.assert_eq(&text);
        assert!(!unfinished(&volume).exists());
    }

    #[test]
    fn upper_layers_win() {
        check(
            "data/a=1 data/b=1 data/d/x=1 | data/b=2 data/d/y=2 data/l>a",
            "/data",
            "",
            expect![[r#"
                a 1
                b 2
                d/
                  x 1
                  y 2
                l -> a
            "#]],
        );
    }

    #[test]
    fn a_volume_that_holds_something_is_left_alone() {
        check(
            "data/a=1",
            "/data",
            "mine=3",
            expect![[r#"
            mine 3
        "#]],
        );
    }

    #[test]
    fn a_place_that_is_no_directory_gives_nothing() {
        check("data/a=1", "/other", "", expect![[""]]);
        check("data=1", "/data", "", expect![[""]]);
        check("data>data", "/data", "", expect![[""]]);
    }

    #[test]
    fn links_on_the_way_stay_inside_the_image() {
        check(
            "run/app/a=1 | var/run>/run",
            "/var/run/app",
            "",
            expect![[r#"
            a 1
        "#]],
        );
        check(
            "run/app/a=1 var/run>../../../run",
            "/var/run/app",
            "",
            expect![[r#"
            a 1
        "#]],
        );
    }

    #[test]
    fn a_copy_that_was_cut_off_is_done_again() {
        let root = tempfile::tempdir().unwrap();
        let layers = layers(root.path(), "data/a=whole data/b=whole");
        let volume = root.path().join("volume");
        fs::create_dir(&volume).unwrap();
        fs::write(volume.join("a"), "ha").unwrap();
        fs::write(unfinished(&volume), "").unwrap();
        fill(&layers, "/data", &volume).unwrap();
        let mut text = String::new();
        show(&volume, "", &mut text);
        assert_eq!(text, "a whole\nb whole\n");
    }

    #[test]
    fn modes_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let layers = layers(root.path(), "data/a=1");
        let volume = root.path().join("volume");
        fs::create_dir(&volume).unwrap();
        fs::set_permissions(layers[0].join("data/a"), fs::Permissions::from_mode(0o4751)).unwrap();
        fs::set_permissions(layers[0].join("data"), fs::Permissions::from_mode(0o1777)).unwrap();
        fill(&layers, "/data", &volume).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&volume), mode(&volume.join("a"))), (0o1777, 0o4751));
    }
}
