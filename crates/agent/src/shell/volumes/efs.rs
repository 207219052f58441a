//! Where EFS file systems are for this node, and how one is mounted: over NFS 4.1 with the options that AWS's mount helper
//! gives (https://docs.aws.amazon.com/efs/latest/ug/mounting-fs-nfs-mount-settings.html). Off AWS no name says where a file
//! system is, so the operator does. TLS and IAM, which that helper adds with stunnel, are not here and are refused.

use super::mount::{self, Mounting};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::path::Path;

/// By id: `fs-0123` to where it is exported.
pub type FileSystems = BTreeMap<String, Export>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// A name or an address; IPv6 in brackets.
    pub host: String,
    /// Of the server; what the file system's root directory is.
    pub path: String,
}

/// What `mount.efs` writes to its standard error, in the sentence that users get.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to invoke EFS utils commands to set up EFS volumes: stderr: {said} : unsuccessful EFS utils command execution; code: {code}"
)]
pub struct Error {
    said: String,
    code: i32,
}

/// `HOST:/path`.
pub fn parse_export(text: &str) -> Option<Export> {
    let (host, path) = text.split_once(":/")?;
    let (host, path) = (host.to_owned(), format!("/{path}"));
    (!host.is_empty() && !path.contains(',') && !host.contains(',')).then_some(Export { host, path })
}

pub fn mount(
    systems: &FileSystems,
    program: &Path,
    volume: (&str, &str, &BTreeMap<String, String>),
    region: &str,
    target: &Path,
) -> Result<(), Error> {
    let mounting = mounting(systems, volume, region)?;
    mounting.mount(target, program).map_err(|error| Error { said: said(&mounting, &error), code: 32 })
}

fn mounting(
    systems: &FileSystems,
    (id, root, options): (&str, &str, &BTreeMap<String, String>),
    region: &str,
) -> Result<Mounting, Error> {
    if options.get("transitEncryption").is_some_and(|encryption| encryption == "ENABLED") {
        let said = "Failed to locate stunnel: this node mounts EFS file systems without encryption in transit only, so \
                    without access points and IAM authorization";
        return Err(Error { said: said.to_owned(), code: 1 });
    }
    let export = systems.get(id).ok_or_else(|| unknown(id, region))?;
    let path = format!("{}/{}", export.path.trim_end_matches('/'), root.trim_matches('/'));
    let path = path.trim_end_matches('/');
    Ok(Mounting::nfs4(&export.host, if path.is_empty() { "/" } else { path }))
}

fn unknown(id: &str, region: &str) -> Error {
    let said = format!(
        "Failed to resolve \"{id}.efs.{region}.amazonaws.com\" - check that your file system ID is correct, and that this node \
         is told where the file system is (slipway up --efs {id}=HOST:/path)"
    );
    Error { said, code: 1 }
}

/// As mount.nfs4 (nfs-utils) says it.
fn said(mounting: &Mounting, error: &mount::Error) -> String {
    let source = &mounting.device;
    match error {
        mount::Error::Address(host) => format!("mount.nfs4: Failed to resolve server {host}: Name or service not known"),
        mount::Error::Mount { errno: Errno::ENODEV, .. } => {
            "mount.nfs4: No such device (the kernel of this node has no NFS client)".into()
        }
        mount::Error::Mount { errno: Errno::ENOENT, .. } => {
            format!("mount.nfs4: mounting {source} failed, reason given by server: No such file or directory")
        }
        mount::Error::Mount { errno: Errno::EACCES, .. } => {
            format!("mount.nfs4: access denied by server while mounting {source}")
        }
        mount::Error::Mount { errno, .. } => format!("mount.nfs4: {}", errno.desc()),
        other => format!("mount.nfs4: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check_export(text: &str, expected: Expect) {
        let shown = parse_export(text).map_or_else(|| "none".to_owned(), |export| format!("{} {}", export.host, export.path));
        expected.assert_eq(&shown);
    }

    #[test]
    fn an_export_is_a_host_and_a_path() {
        check_export("nfs.example.com:/srv/efs", expect!["nfs.example.com /srv/efs"]);
        check_export("192.0.2.1:/", expect!["192.0.2.1 /"]);
        check_export("[2001:db8::1]:/srv", expect!["[2001:db8::1] /srv"]);
        check_export("nfs.example.com", expect!["none"]);
        check_export("nfs.example.com:srv", expect!["none"]);
        check_export(":/srv", expect!["none"]);
        check_export("host:/srv,soft", expect!["none"]);
    }

    fn check(volume: (&str, &str), options: &[(&str, &str)], expected: Expect) {
        let systems = FileSystems::from([
            ("fs-1".to_owned(), parse_export("nfs.example.com:/srv/efs/").unwrap()),
            ("fs-6".to_owned(), parse_export("[2001:db8::1]:/").unwrap()),
        ]);
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let shown = match mounting(&systems, (volume.0, volume.1, &options), "eu-west-1") {
            Ok(m) => format!("{} {} {}", m.kind, m.device, m.data.join(",")),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_file_system_is_mounted_where_the_operator_said_with_the_options_of_aws() {
        check(
            ("fs-1", "/"),
            &[],
            expect![
                "nfs4 nfs.example.com:/srv/efs nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,addr=nfs.example.com"
            ],
        );
        check(
            ("fs-1", "/a/b/"),
            &[("transitEncryption", "DISABLED")],
            expect![
                "nfs4 nfs.example.com:/srv/efs/a/b nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,addr=nfs.example.com"
            ],
        );
        check(
            ("fs-6", "/"),
            &[],
            expect![
                "nfs4 [2001:db8::1]:/ nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,addr=2001:db8::1"
            ],
        );
        check(
            ("fs-2", "/"),
            &[],
            expect![[
                r#"failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve "fs-2.efs.eu-west-1.amazonaws.com" - check that your file system ID is correct, and that this node is told where the file system is (slipway up --efs fs-2=HOST:/path) : unsuccessful EFS utils command execution; code: 1"#
            ]],
        );
        check(
            ("fs-1", "/"),
            &[("transitEncryption", "ENABLED")],
            expect![
                "failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to locate stunnel: this node mounts EFS file systems without encryption in transit only, so without access points and IAM authorization : unsuccessful EFS utils command execution; code: 1"
            ],
        );
    }

    #[test]
    fn failures_are_said_as_the_mount_helper_says_them() {
        let mounting = Mounting::nfs4("nfs", "/srv");
        let failed = |errno| said(&mounting, &mounting.failed(Path::new("/v"), errno));
        expect!["mount.nfs4: Connection timed out"].assert_eq(&failed(Errno::ETIMEDOUT));
        expect!["mount.nfs4: mounting nfs:/srv failed, reason given by server: No such file or directory"]
            .assert_eq(&failed(Errno::ENOENT));
        expect!["mount.nfs4: access denied by server while mounting nfs:/srv"].assert_eq(&failed(Errno::EACCES));
        expect!["mount.nfs4: No such device (the kernel of this node has no NFS client)"].assert_eq(&failed(Errno::ENODEV));
        expect!["mount.nfs4: Failed to resolve server nfs: Name or service not known"]
            .assert_eq(&said(&mounting, &mount::Error::Address("nfs".into())));
    }
}
