//! One channel's script: asked for a request, and for what the answer to it means.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rhai::{Dynamic, Engine, FuncArgs, Scope};
use simbell_core::reminder::Message;
use simbell_core::request::{HttpAnswer, HttpRequest, Verdict};
use simbell_core::time::Timestamp;

use super::host::{AnswerView, MessageView, RequestValue, VerdictValue, register};
use super::marks;
use crate::compile::{ModulePlaces, Parts, parts, position_of};
use crate::engine;
use crate::evaluate::{Failure, guarded};
use crate::files::read_within;
use crate::limits::Limits;
use crate::lines::{self, Trail};
use crate::meter::RunMeter;
use crate::modules::{Shelf, settle};
use crate::problem::{Problem, Source, nearest};
use crate::registry::Book;
use crate::settings::Settings;
use crate::texts::Texts;
use crate::value::kind;

/// Texts of a request are longer than those of a rule.
const STRING_BYTES: usize = 64 << 10;

const SEND: &str = "send";
const ACCEPTED: &str = "accepted";
const FORM: &str = "fn send(message) { http_post(\"https://…\", #{ }, #{ text: message.text }) }";

/// What the service calls: the form of each function, and when.
pub(crate) const CHANNEL_HOOKS: [(&str, &str, &str); 2] = [
    (SEND, "fn send(message)", "When a message is to go by the channel: gives the request that carries it."),
    (
        ACCEPTED,
        "fn accepted(answer)",
        "When the service has answered: gives what that means. May be left out: the status decides.",
    ),
];

/// What the scripts of channels know, for messages and the reference: made when the first one needs it.
pub(crate) fn book() -> &'static Book {
    static BOOK: OnceLock<Book> = OnceLock::new();
    BOOK.get_or_init(|| {
        let mut book = Book::default();
        let _ = engine::build_with(&Limits::default(), register, Some(&mut book));
        book
    })
}

/// What the scripts of all channels run on.
#[derive(Debug, Clone)]
pub struct ChannelEngine {
    engine: Arc<Engine>,
    /// The modules that scripts import.
    shelf: Shelf,
    limits: Limits,
}

/// The script of one channel, with the channel's settings. One that cannot run says so each time it is asked.
#[derive(Debug)]
pub struct ChannelScript {
    engine: ChannelEngine,
    file: String,
    compiled: Result<Compiled, Problem>,
}

#[derive(Debug)]
struct Compiled {
    parts: Parts,
    judges: bool,
    /// Where its functions begin.
    places: [(&'static str, Option<(usize, usize)>); 2],
}

impl ChannelEngine {
    /// Makes the sandbox for scripts of channels, with the limits of rules but for longer texts.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let limits = Limits { string_bytes: limits.string_bytes.max(STRING_BYTES), ..*limits };
        let shelf = Shelf::default();
        let mut engine = build(&limits);
        settle(&mut engine, &shelf);
        Self { engine: Arc::new(engine), shelf, limits }
    }
}

fn build(limits: &Limits) -> Engine {
    engine::build_with(limits, register, None)
}

impl ChannelScript {
    pub(super) fn new(engine: &ChannelEngine, path: &Path, settings: &Settings) -> Self {
        let file = path.display().to_string();
        // One of its own: loading leaves traces in it that another script's calls must not find.
        let mut own = build(&engine.limits);
        let compiled = compile(&mut own, &engine.limits, &engine.shelf, &file, path, settings);
        Self { engine: engine.clone(), file, compiled: compiled.map(|(compiled, _)| compiled) }
    }

    /// A copy whose lines tell a trail that they run.
    pub(super) fn followed(limits: &Limits, path: &Path, settings: &Settings, trail: &Arc<Trail>) -> Self {
        let ChannelEngine { limits, mut shelf, .. } = ChannelEngine::new(limits);
        let file = path.display().to_string();
        let mut engine = build(&limits);
        shelf.follow(Some(trail));
        let compiled = compile(&mut engine, &limits, &shelf, &file, path, settings);
        let compiled = compiled.map(|(mut compiled, text)| {
            let mut scope = Scope::new();
            for name in compiled.parts.constants.keys() {
                scope.push(name.as_str(), ());
            }
            let source = Source { file: &file, text: Some(&text) };
            let mut functions = lines::followed(&mut engine, &compiled.parts.ast, &source, &scope, trail);
            functions.clear_statements();
            compiled.parts.set_functions(functions);
            compiled
        });
        Self { engine: ChannelEngine { engine: Arc::new(engine), shelf, limits }, file, compiled }
    }

    /// Why it cannot run, if it cannot.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        self.compiled.as_ref().err()
    }

    /// Its file, as shown to people.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Asks for the request that carries `message`, sent at `now`. Runs on the calling thread until the script ends
    /// or a limit ends it, so call it on a thread that may block, with a stack of 2 MiB at least.
    ///
    /// # Errors
    /// File, line, column, what and why.
    pub fn request(&self, message: &Message, now: Timestamp) -> Result<HttpRequest, Problem> {
        let given = self.call(SEND, (MessageView::new(message, now),))?;
        match given.read_lock::<RequestValue>() {
            Some(request) => Ok(request.0.clone()),
            None => {
                let message = format!("`send` gives {}, not a request", kind(&given));
                Err(self.source().problem(None, message).hint(format!("write it as `{FORM}`")))
            }
        }
    }

    /// Asks what an answer means. As [`Self::request`]; a script that does not judge leaves it to the status.
    ///
    /// # Errors
    /// File, line, column, what and why.
    pub fn judge(&self, answer: &HttpAnswer) -> Result<Verdict, Problem> {
        if self.compiled.as_ref().is_ok_and(|compiled| !compiled.judges) {
            return Ok(Verdict::ByStatus);
        }
        let given = self.call(ACCEPTED, (AnswerView::new(answer),))?;
        if let Some(verdict) = given.read_lock::<VerdictValue>() {
            return Ok(verdict.0.clone());
        }
        match given.as_bool() {
            Ok(true) => Ok(Verdict::Accepted),
            Ok(false) => Ok(Verdict::Refused(None)),
            Err(_) if given.is_unit() => Ok(Verdict::ByStatus),
            Err(_) => {
                let message = format!("`accepted` gives {}", kind(&given));
                let hint = "it gives true, false, refused(\"why\") or retry(\"why\")";
                Err(self.source().problem(None, message).hint(hint.to_owned()))
            }
        }
    }

    fn call(&self, name: &str, arguments: impl FuncArgs) -> Result<Dynamic, Problem> {
        let compiled =
            self.compiled.as_ref().map_err(|problem| Problem { excerpt: None, ..problem.clone() })?;
        let options = compiled.parts.options(compiled.parts.tag(Texts::default(), None));
        let meter = RunMeter::start(&self.engine.limits);
        let called = guarded(|| {
            let (engine, ast) = (&self.engine.engine, &compiled.parts.ast);
            engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), ast, name, arguments)
        });
        drop(meter);
        let mut problem = match called {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => self.source().run_knowing(&error, &compiled.parts.functions, book),
            Err(text) => Failure::Panic(text).problem(&self.source(), &compiled.parts.functions),
        };
        problem.message =
            marks::masked(&problem.message).replace("the rule was ended", "the script was ended");
        // Where a limit ended it is not always known.
        let place = compiled.places.iter().find(|(function, _)| *function == name);
        problem.at = problem.at.or(place.and_then(|(_, at)| *at));
        Err(problem)
    }

    fn source(&self) -> Source<'_> {
        Source { file: &self.file, text: None }
    }
}

/// The script, and its text.
fn compile(
    engine: &mut Engine,
    limits: &Limits,
    shelf: &Shelf,
    file: &str,
    path: &Path,
    settings: &Settings,
) -> Result<(Compiled, String), Problem> {
    let text = read_within(path.parent().unwrap_or(Path::new(".")), "main.rhai", limits)
        .map_err(|error| Source { file, text: None }.problem(None, error))?;
    let source = Source { file, text: Some(&text) };
    let places = ModulePlaces { home: path.parent(), shelf };
    let parts = parts(engine, limits, &source, &text, settings, places)?;
    let Parts { ast, functions, .. } = &parts;
    let arity = |name: &str| ast.iter_functions().find(|f| f.name == name).map(|f| f.params.len());
    match arity(SEND) {
        Some(1) => {}
        Some(given) => {
            let at = position_of(&source, &text, &["fn", SEND]);
            let message = format!("`send` takes one value, the message, not {given}");
            return Err(source.problem(at, message).hint(format!("write it as `{FORM}`")));
        }
        None => {
            let near = nearest(SEND, functions.iter()).map(|near| format!("is `{near}` meant to be `send`?"));
            return Err(source
                .problem(None, "the script has no `send(message)`, so nothing would ever be sent")
                .hint(near.unwrap_or_else(|| format!("add `{FORM}`"))));
        }
    }
    let judges = match arity(ACCEPTED) {
        None => false,
        Some(1) => true,
        Some(given) => {
            let at = position_of(&source, &text, &["fn", ACCEPTED]);
            let message = format!("`accepted` takes one value, the answer, not {given}");
            return Err(source.problem(at, message).hint("write it as `fn accepted(answer)`".to_owned()));
        }
    };
    let places = [SEND, ACCEPTED].map(|name| (name, position_of(&source, &text, &["fn", name])));
    Ok((Compiled { parts, judges, places }, text))
}
