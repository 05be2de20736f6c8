//! What is installed: units, users, directories, and that it comes off again.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::house::{House, SIMBELLD};

const SERVICE: &str = "usr/lib/systemd/system/simbell.service";

fn contrib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib").canonicalize().unwrap()
}

fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    command
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; contrib/test installs it", program.display()))
}

/// Runs it, and expects it to do well.
fn done(command: &mut Command) -> Output {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    output
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn install(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(contrib().join("install"));
    command.args(arguments).env("DESTDIR", root);
    command
}

/// Installs below `system` in the house. The programs are told by their names alone.
fn installed(house: &House) -> PathBuf {
    let binaries = house.path("binaries");
    fs::create_dir_all(&binaries).unwrap();
    for name in ["simbelld", "simbellctl", "simbell-quota"] {
        fs::copy(SIMBELLD, binaries.join(name)).unwrap();
    }
    let root = house.path("system");
    done(&mut install(&root, &["--binaries", binaries.to_str().unwrap()]));
    root
}

/// Every file below a directory, by its path in it.
fn files(dir: &Path) -> Vec<String> {
    let listed =
        done(Command::new("find").args([".", "!", "-type", "d", "-printf", "%P\\n"]).current_dir(dir));
    let mut files: Vec<String> =
        String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
    files.sort();
    files
}

#[test]
fn units_are_good_and_verify_is_silent() {
    let house = House::new();
    let root = installed(&house);
    let units = root.join("usr/lib/systemd/system");
    // Units that ours refer to, as systemd brings them.
    for entry in fs::read_dir("/usr/lib/systemd/system").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".target") || name.ends_with(".slice") {
            fs::copy(Path::new("/usr/lib/systemd/system").join(&name), units.join(&name)).unwrap();
        }
    }
    // A user's unit is not verified below another root; nothing in ours has another meaning among the system's.
    fs::copy(root.join("usr/lib/systemd/user/simbell-notify.service"), units.join("simbell-notify.service"))
        .unwrap();
    let verify = || {
        run(Command::new("systemd-analyze")
            .args(["verify", &format!("--root={}", root.display())])
            .args(["simbell.service", "simbell.socket", "simbell-notify.service"])
            .args(["simbell-quota.service", "simbell-quota.socket"])
            .env("MANPATH", root.join("usr/share/man")))
    };
    let verified = verify();
    assert!(verified.status.success() && verified.stderr.is_empty(), "{}", said(&verified));

    // That silence means something.
    let unit = root.join(SERVICE);
    let wrong = fs::read_to_string(&unit).unwrap().replace("WatchdogSec=", "WatchDogSec=");
    fs::write(&unit, wrong).unwrap();
    assert!(said(&verify()).contains("WatchDogSec"), "a wrong key is found");
}

#[test]
fn the_services_page_names_every_option() {
    let page = contrib().join("man/simbelld.8");
    let shown = done(
        Command::new("man").args(["--warnings", "-l"]).arg(&page).env("MANWIDTH", "100").env("PAGER", "cat"),
    );
    assert!(shown.stderr.is_empty(), "{}", said(&shown));
    let text = String::from_utf8(shown.stdout).unwrap();
    let options: Vec<&str> = simbelld::options::USAGE
        .split(|c: char| !c.is_ascii_lowercase() && c != '-')
        .filter(|word| word.starts_with("--"))
        .collect();
    assert!(options.len() > 8, "{options:?}");
    for option in options {
        assert!(text.contains(option), "simbelld.8 does not name {option}");
    }
}

#[test]
fn the_unit_is_exposed_by_1_3_at_most() {
    let house = House::new();
    let unit = installed(&house).join(SERVICE);
    let judged = run(Command::new("systemd-analyze")
        .args(["--no-pager", "security", "--offline=true", "--threshold=13"])
        .arg(unit));
    assert!(judged.status.success(), "{}", said(&judged));
    assert!(said(&judged).contains("Overall exposure level for simbell.service: 1."), "{}", said(&judged));
}

#[test]
fn the_quota_unit_is_exposed_by_1_5_at_most_with_the_one_right_it_has() {
    let house = House::new();
    let unit = installed(&house).join("usr/lib/systemd/system/simbell-quota.service");
    let judged = run(Command::new("systemd-analyze")
        .args(["--no-pager", "security", "--offline=true", "--threshold=15"])
        .arg(&unit));
    assert!(judged.status.success(), "{}", said(&judged));
    assert!(
        said(&judged).contains("Overall exposure level for simbell-quota.service: "),
        "{}",
        said(&judged)
    );
    let unit = fs::read_to_string(unit).unwrap();
    for line in ["CapabilityBoundingSet=CAP_NET_ADMIN", "AmbientCapabilities=CAP_NET_ADMIN"] {
        assert!(unit.lines().any(|there| there == line), "{line}");
    }
    assert!(!unit.contains("[Install]"), "the socket starts it, where that is enabled");
}

#[test]
fn the_unit_leaves_the_service_what_it_needs() {
    let unit = fs::read_to_string(contrib().join("systemd/simbell.service")).unwrap();
    for (forbidden, why) in [
        ("PrivateUsers=", "every caller of the socket would be nobody"),
        ("ProcSubset=", "the boot's id would be hidden"),
        ("PrivateNetwork=", "the interfaces that are counted would be hidden"),
        ("RuntimeDirectory=", "the socket would go with the service"),
    ] {
        assert!(!unit.lines().any(|line| line.starts_with(forbidden)), "{forbidden}: {why}");
    }
    assert!(unit.lines().any(|line| line == "RestartPreventExitStatus=78"));
}

#[test]
fn the_user_and_the_directories_are_made() {
    let house = House::new();
    let root = installed(&house);
    let at = format!("--root={}", root.display());
    fs::create_dir_all(root.join("etc")).unwrap();
    done(Command::new("systemd-sysusers").args([&at, "simbell.conf"]));
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
    let group = fs::read_to_string(root.join("etc/group")).unwrap();
    let user: Vec<&str> =
        passwd.lines().find(|line| line.starts_with("simbell:")).expect(&passwd).split(':').collect();
    let gid =
        group.lines().find_map(|line| line.strip_prefix("simbell:x:")?.split(':').next()).expect(&group);
    assert_eq!((user[3], user[5], user[6]), (gid, "/var/lib/simbell", "/usr/sbin/nologin"), "{passwd}");

    done(Command::new("systemd-tmpfiles").args([&at, "--create", "simbell.conf"]));
    let (uid, gid): (u32, u32) = (user[2].parse().unwrap(), gid.parse().unwrap());
    for (dir, owner) in [
        ("etc/simbell", 0),
        ("etc/simbell/conf.d", 0),
        ("etc/simbell/rules.d", 0),
        ("etc/simbell/plugins", 0),
        ("etc/simbell/secrets", 0),
        ("var/lib/simbell", uid),
    ] {
        let made = fs::metadata(root.join(dir)).unwrap_or_else(|error| panic!("{dir}: {error}"));
        assert_eq!(
            (made.permissions().mode() & 0o7777, made.uid(), made.gid()),
            (0o750, owner, gid),
            "{dir}"
        );
    }
}

#[test]
fn everything_is_installed_and_comes_off_again_but_data() {
    let house = House::new();
    let root = installed(&house);
    let first = files(&root);
    for file in [
        SERVICE,
        "usr/lib/systemd/system/simbell.socket",
        "usr/lib/systemd/system/simbell-quota.service",
        "usr/lib/systemd/system/simbell-quota.socket",
        "usr/libexec/simbell-quota",
        "usr/lib/systemd/user/simbell-notify.service",
        "usr/lib/sysusers.d/simbell.conf",
        "usr/lib/tmpfiles.d/simbell.conf",
        "usr/bin/simbelld",
        "usr/bin/simbellctl",
        "usr/share/doc/simbell/examples/simbell.toml",
        "usr/share/simbell/plugins/rules/data-thresholds/main.rhai",
        "usr/share/man/man1/simbellctl.1",
        "usr/share/bash-completion/completions/simbellctl",
        "usr/share/fish/vendor_completions.d/simbellctl.fish",
        "usr/share/zsh/vendor-completions/_simbellctl",
        "etc/simbell/simbell.toml",
    ] {
        assert!(first.iter().any(|there| there == file), "{file} is missing among {first:#?}");
    }
    // What a refusal by polkit tells people to install is what is installed.
    let refusal =
        simbell_modem::CommandError::NotAuthorized { action: "send", text: String::new() }.to_string();
    let rule = refusal.split(['(', ')']).find_map(|part| part.strip_prefix("/usr/")).expect(&refusal);
    let rule = format!("usr/{rule}");
    assert!(first.contains(&rule), "{rule} is missing among {first:#?}");

    let configuration = root.join("etc/simbell/simbell.toml");
    let checked = done(Command::new(SIMBELLD).args(["check", "--config"]).arg(&configuration));
    assert!(checked.status.success());
    fs::write(&configuration, "language = \"zh\"\n").unwrap();
    fs::create_dir_all(root.join("var/lib/simbell")).unwrap();
    fs::write(root.join("var/lib/simbell/ledger.db"), "precious").unwrap();
    // An older version brought this.
    fs::write(root.join("usr/share/simbell/plugins/old.rhai"), "").unwrap();
    let manifest = root.join("usr/share/simbell/installed-files");
    let list = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, format!("{list}/usr/share/simbell/plugins/old.rhai\n")).unwrap();

    installed(&house);
    let mut second = files(&root);
    second.retain(|file| file != "var/lib/simbell/ledger.db");
    assert_eq!(second, first, "a second time changes nothing, and takes away what is no longer brought");
    assert_eq!(fs::read_to_string(&configuration).unwrap(), "language = \"zh\"\n", "it is the owner's");

    let off = said(&done(&mut install(&root, &["--uninstall"])));
    assert!(
        off.contains("Kept: ") && off.contains("etc/simbell") && off.contains("var/lib/simbell"),
        "{off}"
    );
    assert_eq!(files(&root), ["etc/simbell/simbell.toml", "var/lib/simbell/ledger.db"]);
    assert!(!root.join("usr").exists(), "no empty directory is left");
    let again = said(&done(&mut install(&root, &["--uninstall"])));
    assert!(again.contains("Nothing to take off"), "{again}");
}

#[test]
fn install_refuses_with_a_reason() {
    for (arguments, root, reason) in [
        (["--binaries", "/nonexistent"].as_slice(), "/tmp/nowhere", "/nonexistent/simbelld is not there"),
        (&["--frobnicate"], "/tmp/nowhere", "--frobnicate is not known"),
        (&["--binaries"], "/tmp/nowhere", "--binaries needs a directory"),
        (&[], "relative", "DESTDIR has to be an absolute path"),
    ] {
        let output = run(&mut install(Path::new(root), arguments));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said(&output).contains(reason), "{arguments:?}: {}", said(&output));
    }
    // As somebody who is not root, from a copy that anybody may read.
    let copy = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    // Not by this process: what it has open for writing, so may have what another test starts just now.
    let copied = Command::new("cp").arg(contrib().join("install")).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    let output = run(Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "--"])
        .arg(copy.path().join("install"))
        .env_remove("DESTDIR"));
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("this takes root: run it with sudo"), "{}", said(&output));
}
