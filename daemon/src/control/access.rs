//! Who may change things.

use std::path::{Path, PathBuf};

/// Decides by user and group who may change things.
///
/// Groups are read from `/etc/group` and `/etc/passwd` at each connection, so a change there holds at once. Users and
/// groups that only a directory service (LDAP, systemd-homed) knows are not seen; they can use sudo.
#[derive(Debug, Clone)]
pub struct Access {
    trusted: Vec<u32>,
    group_file: PathBuf,
    passwd_file: PathBuf,
}

impl Access {
    /// Root and the user this process runs as, and the system's own group files.
    #[must_use]
    pub fn system() -> Self {
        Self::new(
            vec![0, rustix::process::geteuid().as_raw()],
            PathBuf::from("/etc/group"),
            PathBuf::from("/etc/passwd"),
        )
    }

    /// These users, and members of the admin groups by these files.
    #[must_use]
    pub const fn new(trusted: Vec<u32>, group_file: PathBuf, passwd_file: PathBuf) -> Self {
        Self { trusted, group_file, passwd_file }
    }

    /// Whether there is a group of this name; where the file cannot be read, nobody knows better.
    #[must_use]
    pub fn has_group(&self, name: &str) -> bool {
        let groups = read(&self.group_file);
        groups.is_empty() || groups.lines().any(|line| line.split(':').next() == Some(name))
    }

    /// Whether this user may always change things.
    #[must_use]
    pub fn is_trusted(&self, uid: u32) -> bool {
        self.trusted.contains(&uid)
    }

    /// Whether this user may change things, by itself or by one of `admin_groups`.
    #[must_use]
    pub fn may_change(&self, uid: u32, gid: u32, admin_groups: &[String]) -> bool {
        if self.is_trusted(uid) {
            return true;
        }
        if admin_groups.is_empty() {
            return false;
        }
        let groups = read(&self.group_file);
        let users = read(&self.passwd_file);
        belongs(&groups, &users, uid, gid, admin_groups)
    }
}

/// The file's text; nothing where it cannot be read, which lets nobody in.
fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn belongs(groups: &str, users: &str, uid: u32, gid: u32, wanted: &[String]) -> bool {
    // passwd(5): name:password:uid:gid:…; a user may have several names.
    let names: Vec<&str> = users
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
        })
        .collect();
    // group(5): name:password:gid:member,member
    groups.lines().any(|line| {
        let mut fields = line.split(':');
        let (Some(name), Some(_), Some(id)) = (fields.next(), fields.next(), fields.next()) else {
            return false;
        };
        if !wanted.iter().any(|group| group == name) {
            return false;
        }
        let mut members = fields.next().unwrap_or_default().split(',').map(str::trim);
        id.parse() == Ok(gid) || members.any(|member| names.contains(&member))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\nsimbell:x:900:anna\nnetdev:x:107:anna, bert\nempty:x:200\nbroken\n";
    const USERS: &str =
        "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/:/bin/sh\nbert:x:1001:1001::/:/bin/sh\n";

    fn member(uid: u32, gid: u32, group: &str) -> bool {
        belongs(GROUPS, USERS, uid, gid, &[group.to_owned()])
    }

    #[test]
    fn members_and_primary_groups_count() {
        assert!(member(1000, 1000, "netdev"));
        assert!(member(1001, 1001, "netdev"));
        assert!(member(1001, 200, "empty"));
        assert!(!member(1001, 1001, "simbell"));
        assert!(!member(1000, 1000, "empty"));
        assert!(!member(1000, 1000, "nosuch"));
        assert!(!member(4242, 4242, "netdev"));
    }

    #[test]
    fn a_group_is_there_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let groups = dir.path().join("group");
        std::fs::write(&groups, GROUPS).unwrap();
        let access = Access::new(Vec::new(), groups, "/nonexistent/passwd".into());
        assert!(access.has_group("netdev") && !access.has_group("nixgroup") && !access.has_group("anna"));
        let blind = Access::new(Vec::new(), "/nonexistent/group".into(), "/nonexistent/passwd".into());
        assert!(blind.has_group("nixgroup"), "nobody knows");
    }

    #[test]
    fn unreadable_files_let_nobody_in() {
        let access = Access::new(vec![0], "/nonexistent/group".into(), "/nonexistent/passwd".into());
        assert!(access.may_change(0, 0, &[]));
        assert!(!access.may_change(1000, 107, &["netdev".to_owned()]));
    }
}
