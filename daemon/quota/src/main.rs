//! simbell-quota: see the library.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use simbell_quota::protocol::SOCKET;
use simbell_quota::{Options, Sharing, serve};
use tokio::signal::unix::{SignalKind, signal};

const HELP: &str = "\
simbell-quota: wakes simbelld at the packet that crosses a threshold

Usage: simbell-quota [OPTIONS]

Keeps named nftables quotas in a table of its own, inet simbell, for whom simbelld's user or root connects, one at a
time. Takes CAP_NET_ADMIN. Nothing is left behind when the client, or this program, ends.

Options:
  --socket PATH     listen there; default: the socket that systemd passes, else /run/simbell-quota/quota.sock
  --user USER       who may connect besides root, a name of /etc/passwd or a number; default: simbell
  --shared-table    let other programs change the table, as before Linux 5.12; it is made anew where they do
  -h, --help        print this
  -V, --version     print the version
";

struct Asked {
    socket: Option<PathBuf>,
    user: String,
    sharing: Sharing,
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(Some(asked)) => asked,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simbell-quota: {error}; try --help");
            return ExitCode::from(2);
        }
    };
    match run(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("<3>simbell-quota: {error}");
            ExitCode::FAILURE
        }
    }
}

fn asked() -> Result<Option<Asked>, lexopt::Error> {
    use lexopt::prelude::{Long, Short, ValueExt as _};
    let mut asked = Asked { socket: None, user: "simbell".to_owned(), sharing: Sharing::Owned };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("socket") => asked.socket = Some(parser.value()?.into()),
            Long("user") => asked.user = parser.value()?.string()?,
            Long("shared-table") => asked.sharing = Sharing::Shared,
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            Short('V') | Long("version") => {
                println!("simbell-quota {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(asked))
}

fn run(asked: &Asked) -> Result<(), String> {
    let uid = user_id(&asked.user)?;
    let (listener, made) = listener(asked)?;
    listener.set_nonblocking(true).map_err(|error| format!("the socket cannot be used: {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("it cannot begin: {error}"))?;
    let options = Options { uid, sharing: asked.sharing };
    let ended = runtime.block_on(async {
        let listener = tokio::net::UnixListener::from_std(listener)
            .map_err(|error| format!("the socket cannot be used: {error}"))?;
        let mut term = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let mut int = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        let stop = async {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        };
        serve(listener, options, stop).await.map_err(|error| error.to_string())
    });
    if let Some(path) = made {
        // Gone already is as good.
        let _ = fs::remove_file(path);
    }
    ended
}

/// The id of a user of `/etc/passwd`, or the number itself.
fn user_id(user: &str) -> Result<u32, String> {
    if let Ok(uid) = user.parse() {
        return Ok(uid);
    }
    let users =
        fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd cannot be read: {error}"))?;
    users
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == user).then(|| fields.nth(1)?.parse().ok())?
        })
        .next()
        .ok_or_else(|| format!("there is no user {user:?} in /etc/passwd; name another with --user"))
}

/// The socket that systemd passed, or one made here, with its path.
fn listener(asked: &Asked) -> Result<(UnixListener, Option<PathBuf>), String> {
    if asked.socket.is_none() {
        let passed = listenfd::ListenFd::from_env()
            .take_unix_listener(0)
            .map_err(|error| format!("the socket that systemd passed cannot be used: {error}"))?;
        if let Some(listener) = passed {
            return Ok((listener, None));
        }
    }
    let path = asked.socket.clone().unwrap_or_else(|| PathBuf::from(SOCKET));
    let listener = bind(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((listener, Some(path)))
}

fn bind(path: &Path) -> std::io::Result<UnixListener> {
    // A socket that nobody listens on is what a killed helper left.
    if UnixStream::connect(path).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    // Who connects is asked for its user id; the mode keeps nobody out who may come in.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}
