//! A mount in a process of its own: the kernel's client of a network file system waits for its server as long as it takes, in
//! a state that only a fatal signal ends. The process ends at a deadline and with whoever waits for it, and says an errno and
//! nothing else. It takes no decision: what is mounted where is in its arguments.

use super::mount::{Error, Mounting};
use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{alarm, getpid, getppid};
use std::net::ToSocketAddrs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The first argument by which a program knows that it is to mount.
pub const ARGUMENT: &str = "mount";
/// As long as `mount.nfs4` gives a server that does not answer to begin with, in seconds.
const DEADLINE_S: u32 = 30;
/// No errno is that large.
const NAME_NOT_RESOLVED: i32 = 255;

/// Waits in this thread, which must not end before: the process goes with it.
pub fn mount(program: &Path, mounting: &Mounting, target: &Path) -> Result<(), Error> {
    let ended = Command::new(program)
        .args([ARGUMENT, &getpid().to_string(), &mounting.kind, &mounting.device])
        .arg(target)
        .args([mounting.flags.bits().to_string(), mounting.data.join(",")])
        .stdin(Stdio::null())
        .status()?;
    match (ended.code(), ended.signal()) {
        (Some(0), _) => Ok(()),
        (Some(NAME_NOT_RESOLVED), _) => Err(Error::Address(mounting.server().unwrap_or_default().to_owned())),
        (Some(code), _) => Err(mounting.failed(target, Errno::from_raw(code))),
        (None, Some(signal)) if signal == Signal::SIGALRM as i32 => Err(mounting.failed(target, Errno::ETIMEDOUT)),
        _ => Err(mounting.failed(target, Errno::EINTR)),
    }
}

/// What the process is. Returns its exit code.
pub fn main(arguments: &[String]) -> i32 {
    alarm::set(DEADLINE_S);
    let [parent, kind, device, target, flags, data] = arguments else { return Errno::EINVAL as i32 };
    let follows = prctl::set_pdeathsig(Signal::SIGKILL);
    if follows.is_err() || getppid().to_string() != *parent {
        return Errno::ESRCH as i32; // it is dead already: nobody would unmount this again
    }
    let flags = MsFlags::from_bits_truncate(flags.parse().unwrap_or_default());
    let Some(data) = resolved(data) else { return NAME_NOT_RESOLVED };
    match nix::mount::mount(Some(device.as_str()), target.as_str(), Some(kind.as_str()), flags, Some(data.as_str())) {
        Ok(()) => 0,
        Err(errno) => errno as i32,
    }
}

/// The kernel's NFS client takes addresses only.
fn resolved(data: &str) -> Option<String> {
    let resolve = |word: &str| match word.strip_prefix("addr=") {
        Some(name) => {
            let address = (name, 0).to_socket_addrs().ok()?.next()?;
            Some(format!("addr={}", address.ip()))
        }
        None => Some(word.to_owned()),
    };
    let words: Option<Vec<String>> = data.split(',').map(resolve).collect();
    words.map(|words| words.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn names_of_servers_become_addresses() {
        assert!(["addr=127.0.0.1,hard", "addr=::1,hard"].contains(&resolved("addr=localhost,hard").unwrap().as_str()));
        assert_eq!(resolved("addr=no.such.host.invalid"), None);
        assert_eq!(resolved("hard,timeo=600").as_deref(), Some("hard,timeo=600"));
    }

    /// A program that ends as `script` does, in place of the one that mounts.
    fn check(script: &str, expected: Expect) {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let mounting = Mounting::nfs4("192.0.2.1", "/export");
        let said = mount(&program, &mounting, Path::new("/v")).map_or_else(|error| error.to_string(), |()| "mounted".into());
        expected.assert_eq(&said);
    }

    #[test]
    fn the_process_says_an_errno_and_ends_at_its_deadline() {
        check("exit 0", expect!["mounted"]);
        check(
            "exit 19",
            expect![
                "failed to mount local volume: mount 192.0.2.1:/export:/v, data: nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,addr=192.0.2.1: ENODEV: No such device"
            ],
        );
        check("exit 255", expect!["failed to mount local volume: error resolving address 192.0.2.1"]);
        check(
            "kill -ALRM $$",
            expect![
                "failed to mount local volume: mount 192.0.2.1:/export:/v, data: nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,addr=192.0.2.1: ETIMEDOUT: Connection timed out"
            ],
        );
    }

    #[test]
    fn an_orphan_mounts_nothing() {
        let arguments = ["0", "tmpfs", "tmpfs", "/nowhere", "0", ""].map(str::to_owned);
        let code = std::thread::spawn(move || main(&arguments)).join().unwrap();
        alarm::cancel();
        assert_eq!(code, Errno::ESRCH as i32);
    }
}
