//! Volumes with options of the local driver: what `mount -t TYPE -o O DEVICE` would mount, mounted at the volume's place, as
//! Docker does it (moby `volume/local`). A tmpfs, an NFS export, a directory of the host.

use super::apart;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const KEYS: [&str; 3] = ["type", "device", "o"];
/// `mount`'s words for flags; a word that is not here is data for the file system.
const FLAGS: [(&str, MsFlags, bool); 20] = [
    ("ro", MsFlags::MS_RDONLY, true),
    ("rw", MsFlags::MS_RDONLY, false),
    ("nosuid", MsFlags::MS_NOSUID, true),
    ("suid", MsFlags::MS_NOSUID, false),
    ("nodev", MsFlags::MS_NODEV, true),
    ("dev", MsFlags::MS_NODEV, false),
    ("noexec", MsFlags::MS_NOEXEC, true),
    ("exec", MsFlags::MS_NOEXEC, false),
    ("sync", MsFlags::MS_SYNCHRONOUS, true),
    ("async", MsFlags::MS_SYNCHRONOUS, false),
    ("dirsync", MsFlags::MS_DIRSYNC, true),
    ("noatime", MsFlags::MS_NOATIME, true),
    ("atime", MsFlags::MS_NOATIME, false),
    ("nodiratime", MsFlags::MS_NODIRATIME, true),
    ("diratime", MsFlags::MS_NODIRATIME, false),
    ("relatime", MsFlags::MS_RELATIME, true),
    ("norelatime", MsFlags::MS_RELATIME, false),
    ("strictatime", MsFlags::MS_STRICTATIME, true),
    ("bind", MsFlags::MS_BIND, true),
    ("rbind", MsFlags::MS_BIND.union(MsFlags::MS_REC), true),
];

/// Servers are waited for by these, for ever if need be.
const REMOTE: [&str; 2] = ["nfs", "nfs4"];

#[derive(Clone, Debug, PartialEq)]
pub struct Mounting {
    pub kind: String,
    pub device: String,
    pub flags: MsFlags,
    pub data: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("invalid option: {0:?}")]
    Invalid(String),
    #[error("missing device in volume options")]
    NoDevice,
    #[error("missing type in volume options")]
    NoType,
    #[error("failed to mount local volume: error resolving address {0}")]
    Address(String),
    #[error("failed to mount local volume: mount {device}:{target}, data: {data}: {errno}")]
    Mount { device: String, target: String, data: String, errno: Errno },
    #[error("failed to unmount local volume: {target}: {errno}")]
    Unmount { target: String, errno: Errno },
    #[error("failed to mount local volume: {0}")]
    Io(#[from] io::Error),
}

/// `None`: a plain directory.
pub fn parse(options: &BTreeMap<String, String>) -> Result<Option<Mounting>, Error> {
    if let Some(unknown) = options.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(Error::Invalid(unknown.clone()));
    }
    let get = |key: &str| options.get(key).cloned().filter(|value| !value.is_empty());
    let (kind, device, words) = (get("type"), get("device"), get("o"));
    if kind.is_none() && device.is_none() && words.is_none() {
        return Ok(None);
    }
    let mut mounting = Mounting {
        kind: kind.ok_or(Error::NoType)?,
        device: device.ok_or(Error::NoDevice)?,
        flags: MsFlags::empty(),
        data: vec![],
    };
    words.unwrap_or_default().split(',').filter(|word| !word.is_empty()).for_each(|word| mounting.add(word));
    Ok(Some(mounting))
}

impl Mounting {
    fn add(&mut self, word: &str) {
        match FLAGS.iter().find(|(name, _, _)| *name == word) {
            Some((_, flag, true)) => self.flags |= *flag,
            Some((_, flag, false)) => self.flags &= !*flag,
            None => self.data.push(word.to_owned()),
        }
    }

    /// NFS 4.1 with the options that AWS gives for EFS.
    pub fn nfs4(host: &str, path: &str) -> Mounting {
        let options = ["nfsvers=4.1", "rsize=1048576", "wsize=1048576", "hard", "timeo=600", "retrans=2", "noresvport"];
        let address = format!("addr={}", host.trim_start_matches('[').trim_end_matches(']'));
        Mounting {
            kind: "nfs4".into(),
            device: format!("{host}:{path}"),
            flags: MsFlags::empty(),
            data: options.map(str::to_owned).into_iter().chain([address]).collect(),
        }
    }

    /// `program` is started for what may take long. Idempotent.
    pub fn mount(&self, target: &Path, program: &Path) -> Result<(), Error> {
        if mounts_under(target)?.iter().any(|mounted| mounted == target) {
            return Ok(());
        }
        if REMOTE.contains(&self.kind.as_str()) {
            return apart::mount(program, self, target);
        }
        let data = self.data.join(",");
        mount(Some(self.device.as_str()), target, Some(self.kind.as_str()), self.flags, Some(data.as_str()))
            .map_err(|errno| self.failed(target, errno))
    }

    pub fn failed(&self, target: &Path, errno: Errno) -> Error {
        Error::Mount { device: self.device.clone(), target: target.display().to_string(), data: self.data.join(","), errno }
    }

    /// Of a network file system.
    pub fn server(&self) -> Option<&str> {
        self.data.iter().find_map(|word| word.strip_prefix("addr="))
    }
}

/// What is mounted at or below a directory goes, the last first: nothing behind a mount may be deleted with the directory.
pub fn unmount_all(directory: &Path) -> Result<(), Error> {
    for target in mounts_under(directory)?.iter().rev() {
        umount2(target, MntFlags::MNT_DETACH).map_err(|errno| Error::Unmount { target: target.display().to_string(), errno })?;
    }
    Ok(())
}

fn mounts_under(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
    Ok(targets(&table).filter(|target| target.starts_with(&directory)).collect())
}

/// The fifth field, in which white space is octal (proc_pid_mountinfo(5)).
fn targets(table: &str) -> impl Iterator<Item = PathBuf> {
    let field = |line: &str| line.split(' ').nth(4).map(str::to_owned);
    table.lines().filter_map(field).map(|text| {
        let plain = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
        PathBuf::from(plain.iter().fold(text, |text, (escaped, real)| text.replace(escaped, real)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use nix::sched::{CloneFlags, unshare};

    fn options(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn check(text: &str, expected: Expect) {
        let shown = match parse(&options(text)) {
            Ok(Some(m)) => format!("{} {} {:?} {:?}", m.kind, m.device, m.flags, m.data),
            Ok(None) => "a directory".into(),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn options_are_those_of_mount() {
        check("", expect!["a directory"]);
        check(
            "type=tmpfs device=tmpfs o=size=1m,uid=7,nosuid,noexec",
            expect![[r#"tmpfs tmpfs MsFlags(MS_NOSUID | MS_NOEXEC) ["size=1m", "uid=7"]"#]],
        );
        check(
            "type=nfs device=:/export o=addr=192.0.2.1,rw,nfsvers=4",
            expect![[r#"nfs :/export MsFlags(0x0) ["addr=192.0.2.1", "nfsvers=4"]"#]],
        );
        check("type=none device=/srv o=rbind,ro,rw", expect!["none /srv MsFlags(MS_BIND | MS_REC) []"]);
        check("type=none o=bind", expect!["missing device in volume options"]);
        check("device=/srv", expect!["missing type in volume options"]);
        check("size=1m", expect![[r#"invalid option: "size""#]]);
    }

    #[test]
    fn white_space_in_the_table_is_octal() {
        let table = "36 35 98:0 / /mnt/a\\040b rw - ext3 /dev/root rw\n";
        assert_eq!(targets(table).collect::<Vec<_>>(), [PathBuf::from("/mnt/a b")]);
    }

    /// In a mount namespace of this thread's own; needs root.
    #[test]
    fn a_tmpfs_is_mounted_once_and_unmounted() {
        if unshare(CloneFlags::CLONE_NEWNS).is_err() {
            println!("not permitted to mount: nothing tested");
            return;
        }
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let volume = directory.path().join("v");
        fs::create_dir(&volume).unwrap();
        fs::write(volume.join("under"), "").unwrap();
        let mounting = parse(&options("type=tmpfs device=tmpfs o=size=1m,mode=0700")).unwrap().unwrap();
        mounting.mount(&volume, Path::new("/nowhere")).unwrap();
        mounting.mount(&volume, Path::new("/nowhere")).unwrap();
        fs::write(volume.join("inside"), "").unwrap();
        assert_eq!(mounts_under(directory.path()).unwrap().len(), 1);
        unmount_all(directory.path()).unwrap();
        let left: Vec<_> = fs::read_dir(&volume).unwrap().map(|child| child.unwrap().file_name()).collect();
        assert_eq!(left, ["under"]);
    }
}
