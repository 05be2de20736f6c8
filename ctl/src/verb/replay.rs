//! `rules replay`: the service tells the past, simbelld runs the rule over it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use simbell_api::{Client, ExportUsageParams, Failure, FailureOutput, GetUsageParams, PastLine, ReplayLine};

use super::{Verdict, check, connect};
use crate::cli::ReplayArgs;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::plot::blocks_welcome;
use crate::show::replay::{Look, Replay};

/// Before anything that a ledger holds.
const EVER: &str = "1970-01-01";

pub(super) async fn run(socket: &Path, out: &mut Out, args: &ReplayArgs) -> Result<Verdict, CtlError> {
    // Before anything is started: a service that cannot be asked is the first thing to say.
    let client = match args.ledger {
        Some(_) => None,
        None => Some(connect(socket, out).await?),
    };
    let mut child = start(out, args)?;
    if let (Some(client), Some(mut stdin)) = (client, child.stdin.take())
        && let Err(error) = tell(client, socket, args, &mut stdin).await
    {
        // Before its input ends: it has nothing to add to what is wrong.
        let _gone = child.kill().and_then(|()| child.wait());
        return Err(error);
    }
    let replay = listen(&mut child, out)?;
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        // What cannot be read is not missed: the exit status tells.
        let _unread = stderr.read_to_string(&mut said);
    }
    let status = child.wait().map_err(|error| CtlError::io("simbelld cannot be waited for", error))?;
    if !status.success() || !replay.is_whole() {
        return failed(out, status.code(), &said);
    }
    if !out.json {
        let look = Look { columns: out.width, color: out.color, blocks: blocks_welcome() };
        let page = replay.page(look);
        out.text(&page)?;
    }
    Ok(Verdict::check(args.check, replay.is_remarkable()))
}

fn start(out: &Out, args: &ReplayArgs) -> Result<Child, CtlError> {
    let program = check::simbelld();
    let mut command = Command::new(&program);
    command.args(["replay", "--days", &args.days.to_string()]);
    for (option, value) in [("--from", &args.from), ("--to", &args.to), ("--sim", &args.sim)] {
        if let Some(value) = value {
            command.args([option, value]);
        }
    }
    for setting in &args.settings {
        command.args(["--set", setting]);
    }
    for (option, path) in [("--config", &args.config), ("--ledger", &args.ledger)] {
        if let Some(path) = path {
            command.arg(option).arg(path);
        }
    }
    if let [old, new] = args.diff.as_slice() {
        command.arg("--old").arg(old).arg("--").arg(new);
    } else if let Some(rule) = &args.rule {
        command.arg("--").arg(rule);
    }
    let stdin = if args.ledger.is_some() { Stdio::null() } else { Stdio::piped() };
    let stderr = if out.json { Stdio::piped() } else { Stdio::inherit() };
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(|error| check::cannot(&program, error))
}

/// Has the service tell the past, and passes it on. A reader that has gone away has said why.
async fn tell(client: Client, socket: &Path, args: &ReplayArgs, to: &mut ChildStdin) -> Result<(), CtlError> {
    let mut asking = Client::connect(socket).await?;
    for sim in asking.sims().await? {
        if !pass_on(to, &PastLine::Sim(Box::new(sim)))? {
            return Ok(());
        }
    }
    let question = GetUsageParams {
        sim: args.sim.clone(),
        by: "hour".to_owned(),
        from: Some(EVER.to_owned()),
        to: args.to.clone(),
        ..GetUsageParams::default()
    };
    let calls = asking.calls(&question).await?.rows.into_iter().map(|row| PastLine::Calls(Box::new(row)));
    let messages =
        asking.messages(&question).await?.rows.into_iter().map(|row| PastLine::Messages(Box::new(row)));
    let figures = asking.observations(args.sim.clone()).await?;
    let figures = figures.into_iter().map(|figure| PastLine::Observation(Box::new(figure)));
    for line in calls.chain(messages).chain(figures) {
        if !pass_on(to, &line)? {
            return Ok(());
        }
    }
    let params =
        ExportUsageParams { sim: args.sim.clone(), by: "hour".to_owned(), from: None, to: args.to.clone() };
    let mut export = client.export(&params).await?;
    while let Some(part) = export.next().await? {
        if !pass_on(to, &PastLine::Part(Box::new(part)))? {
            return Ok(());
        }
    }
    pass_on(to, &PastLine::End)?;
    Ok(())
}

/// Whether somebody still reads.
fn pass_on(to: &mut ChildStdin, line: &PastLine) -> Result<bool, CtlError> {
    let broken = |error| CtlError::io("the past cannot be told to simbelld", error);
    let mut text = serde_json::to_vec(line).map_err(|error| broken(error.into()))?;
    text.push(b'\n');
    match to.write_all(&text) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(broken(error)),
    }
}

/// Takes in what it says; with `--json` passes it on as it comes.
fn listen(child: &mut Child, out: &mut Out) -> Result<Replay, CtlError> {
    let mut replay = Replay::default();
    let Some(stdout) = child.stdout.take() else { return Ok(replay) };
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|error| CtlError::io("simbelld cannot be read", error))?;
        let line: ReplayLine = serde_json::from_str(&line).map_err(|error| {
            CtlError::failed(
                "NotReadable",
                format!("simbelld says something unexpected: {error}"),
                "install simbelld and simbellctl of one version",
            )
        })?;
        if out.json {
            out.json(&line)?;
        }
        replay.add(line);
    }
    Ok(replay)
}

/// What went wrong was said by simbelld itself; a program gets it as an object.
fn failed(out: &mut Out, code: Option<i32>, said: &str) -> Result<Verdict, CtlError> {
    if out.json {
        let said = said.trim_end();
        let said = said.strip_prefix("error: ").unwrap_or(said);
        let (message, hint) = match said.rsplit_once("\n  hint: ") {
            Some((message, hint)) => (message, Some(hint.to_owned())),
            None if said.is_empty() => ("simbelld ended without a word", None),
            None => (said, None),
        };
        let error = Failure { kind: "ReplayFailed".to_owned(), message: message.to_owned(), hint };
        out.json(&FailureOutput { error })?;
    }
    if code == Some(2) { Ok(Verdict::WrongUsage) } else { Ok(Verdict::Failed) }
}
