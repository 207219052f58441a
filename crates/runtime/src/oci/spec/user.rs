//! `user[:group]`, by name or number, against the root file system's own /etc/passwd and /etc/group. Docker's rules and
//! Docker's words, which ECS users find in `stoppedReason`.

use crate::oci::program::User;

/// The kernel takes more, Docker does not.
const LARGEST_ID: u64 = (1 << 31) - 1;

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

pub fn resolve(text: &str, passwd: &str, group: &str) -> Result<User, String> {
    let (user, group_name) = text.split_once(':').unwrap_or((text, ""));
    let entry = find_user(if user.is_empty() { "0" } else { user }, passwd);
    let (uid, mut gid, home) = match &entry {
        Some(entry) => (entry.uid, entry.gid, entry.home),
        None if user.is_empty() => (0, 0, "/"),
        None => (number(user, || format!("unable to find user {user}: no matching entries in passwd file"))?, 0, "/"),
    };
    let mut groups = Vec::new();
    if !group_name.is_empty() {
        gid = find_group(group_name, group)?;
    } else if let Some(entry) = &entry {
        groups = memberships(entry.name, group);
    }
    groups.retain(|g| *g != gid);
    groups.insert(0, gid);
    Ok(User { uid, gid, groups, home: if home.is_empty() { "/".to_owned() } else { home.to_owned() } })
}

fn find_user<'a>(user: &str, passwd: &'a str) -> Option<PasswdEntry<'a>> {
    let by_number = user.parse::<u32>().ok();
    passwd.lines().filter_map(passwd_entry).find(|entry| entry.name == user || Some(entry.uid) == by_number)
}

fn find_group(name: &str, group: &str) -> Result<u32, String> {
    let by_number = name.parse::<u32>().ok();
    let entry = group.lines().filter_map(group_entry).find(|entry| entry.name == name || Some(entry.gid) == by_number);
    match entry {
        Some(entry) => Ok(entry.gid),
        None => number(name, || format!("unable to find group {name}: no matching entries in group file")),
    }
}

fn memberships(user: &str, group: &str) -> Vec<u32> {
    let groups = group.lines().filter_map(group_entry);
    groups.filter(|entry| entry.members.split(',').any(|member| member == user)).map(|entry| entry.gid).collect()
}

fn number(text: &str, missing: impl Fn() -> String) -> Result<u32, String> {
    let value: u64 = text.parse().map_err(|_| missing())?;
    if value > LARGEST_ID {
        return Err(format!("uids and gids must be in range 0-{LARGEST_ID}"));
    }
    Ok(value as u32)
}

/// `name:password:uid:gid:gecos:home:shell`
fn passwd_entry(line: &str) -> Option<PasswdEntry<'_>> {
    let fields: Vec<&str> = line.split(':').collect();
    Some(PasswdEntry {
        name: fields.first()?,
        uid: fields.get(2)?.parse().ok()?,
        gid: fields.get(3)?.parse().ok()?,
        home: fields.get(5).copied().unwrap_or_default(),
    })
}

/// `name:password:gid:member,member`
fn group_entry(line: &str) -> Option<GroupEntry<'_>> {
    let fields: Vec<&str> = line.split(':').collect();
    Some(GroupEntry {
        name: fields.first()?,
        gid: fields.get(2)?.parse().ok()?,
        members: fields.get(3).copied().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# comment\nnginx:x:101:102:nginx:/var/cache/nginx:/sbin/nologin\n1234:x:7:8::/home/n:/bin/sh\n";
    const GROUP: &str = "root:x:0:root\nbin:x:1:root,bin\nnginx:x:102:\nadm:x:4:nginx,adm\n";

    fn check(user: &str, expected: Expect) {
        let text = match resolve(user, PASSWD, GROUP) {
            Ok(u) => format!("{}:{} {:?} {}", u.uid, u.gid, u.groups, u.home),
            Err(error) => error,
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn names_and_numbers_resolve_as_in_docker() {
        check("", expect!["0:0 [0, 1] /root"]);
        check("root", expect!["0:0 [0, 1] /root"]);
        check("nginx", expect!["101:102 [102, 4] /var/cache/nginx"]);
        check("101", expect!["101:102 [102, 4] /var/cache/nginx"]);
        check("nginx:root", expect!["101:0 [0] /var/cache/nginx"]);
        check("nginx:33", expect!["101:33 [33] /var/cache/nginx"]);
        check(":adm", expect!["0:4 [4] /root"]);
        check("5000", expect!["5000:0 [0] /"]);
        check("5000:6000", expect!["5000:6000 [6000] /"]);
        check("1234", expect!["7:8 [8] /home/n"]);
    }

    #[test]
    fn what_is_not_there_is_said_in_dockers_words() {
        check("nobody", expect!["unable to find user nobody: no matching entries in passwd file"]);
        check("root:wheel", expect!["unable to find group wheel: no matching entries in group file"]);
        check("3000000000", expect!["uids and gids must be in range 0-2147483647"]);
    }

    #[test]
    fn an_image_without_passwd_runs_as_root_or_by_number() {
        assert_eq!(resolve("", "", ""), Ok(User { uid: 0, gid: 0, groups: vec![0], home: "/".into() }));
        assert_eq!(resolve("7:8", "", "").map(|u| (u.uid, u.gid)), Ok((7, 8)));
    }
}
