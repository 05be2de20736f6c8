//! `import "lib" as lib;`: modules of a plugin's own folder, and the standard library that is part of the program.
//!
//! Imports are read from the file before any of it runs: they stand at its top, each with a plain text for a path. Their
//! modules are compiled once, when the rule is loaded; what runs later finds them by identity in a shelf and nowhere
//! else. A chain of imports that comes back to a file is refused before it is followed.

mod library;

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rhai::module_resolvers::DummyModuleResolver;
use rhai::{
    AST, ASTNode, Dynamic, Engine, EvalAltResult, Expr, FnAccess, Module, ModuleResolver, Position, Scope,
    Shared, Stmt,
};

use crate::compile::{constants, parameters_of};
use crate::files::{read_again, read_itself};
use crate::host::{Constants, Tag};
use crate::limits::{Limits, limit};
use crate::lines::{self, Trail};
use crate::meter::RunMeter;
use crate::problem::{Problem, Source, nearest};
use crate::text::short;

/// Longest path of an import.
const MOST_PATH_BYTES: usize = 100;
/// The name that a plugin's own script has in a chain of imports.
const MAIN: &str = "main";
/// What paths of the standard library begin with.
const STD: &str = "std/";

/// The constants of each module that a rule uses, by the module's identity.
pub(crate) type ModuleConstants = Arc<BTreeMap<String, Constants>>;

/// Compiled modules by identity, which the engine finds when a rule runs. One for all rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    kept: Arc<RwLock<BTreeMap<String, Kept>>>,
    /// Offline, what is told which lines of a plugin's modules run.
    trail: Option<Arc<Trail>>,
}

#[derive(Debug, Clone)]
struct Kept {
    module: Shared<Module>,
    constants: ModuleConstants,
    /// The functions that others can call.
    functions: Arc<[String]>,
    /// Tells its text, and those of what it imports, from others.
    digest: u64,
}

/// What a rule's imports come to.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// What brings the modules in when the rule is called; none where it imports nothing.
    pub(crate) head: Option<AST>,
    pub(crate) constants: ModuleConstants,
    /// The functions that the rule can call, as it calls them: `lib::name`.
    pub(crate) functions: Vec<String>,
    /// Tells the texts of its modules from others.
    pub(crate) digest: u64,
}

/// One `import`.
#[derive(Debug)]
struct Import {
    path: String,
    alias: String,
    at: Option<(usize, usize)>,
}

/// A module found: where its text is, and what it is known by.
struct Found {
    /// The file as shown, or the path in the standard library.
    id: String,
    text: String,
}

/// Loads the modules of one rule.
struct Loader<'a> {
    engine: &'a mut Engine,
    limits: &'a Limits,
    shelf: &'a Shelf,
    /// The folder that modules are looked for in; none for a single file.
    home: Option<PathBuf>,
    /// By path, those that are done.
    done: BTreeMap<String, Kept>,
    /// The files that are being read, each imported by the one before.
    chain: Vec<String>,
}

/// Loads what a rule imports, and lets its own top run with it: the engine resolves the rule's paths until
/// [`settle`] is called.
///
/// # Errors
/// The first problem with an import, or in a module.
pub(crate) fn load(
    engine: &mut Engine,
    limits: &Limits,
    shelf: &Shelf,
    home: Option<&Path>,
    source: &Source<'_>,
    ast: &AST,
) -> Result<Imported, Problem> {
    let imports = imports(ast, source, limits)?;
    if imports.is_empty() {
        return Ok(Imported::default());
    }
    let home = home.and_then(|home| fs::canonicalize(home).ok());
    let mut loader =
        Loader { engine, limits, shelf, home, done: BTreeMap::new(), chain: vec![MAIN.to_owned()] };
    let kept = loader.all(&imports, source)?;
    let mut head = String::new();
    let mut functions = Vec::new();
    let mut constants = BTreeMap::new();
    for (import, (id, kept)) in imports.iter().zip(&kept) {
        head.push_str(&format!("import {id:?} as {};", import.alias));
        functions.extend(kept.functions.iter().map(|name| format!("{}::{name}", import.alias)));
        constants.extend(kept.constants.iter().map(|(id, constants)| (id.clone(), Arc::clone(constants))));
    }
    let head = engine.compile(head).map_err(|error| source.parse(&error, &[]))?;
    engine.set_module_resolver(Paths::new(&imports, &kept));
    let digest = digest(&kept, "");
    Ok(Imported { head: Some(head), constants: Arc::new(constants), functions, digest })
}

impl Shelf {
    /// Takes modules over from another shelf, for a rule that runs on as it was compiled then. Modules are a plugin's own,
    /// so that none of another rule gives way.
    pub(crate) fn take_over(&self, from: &Self, constants: &ModuleConstants) {
        let from = from.kept.read().unwrap_or_else(PoisonError::into_inner);
        let mut here = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        for (id, kept) in constants.keys().filter_map(|id| Some((id, from.get(id)?))) {
            here.insert(id.clone(), kept.clone());
        }
    }
}

/// A rule is compiled: from now on modules are found by identity only.
pub(crate) fn settle(engine: &mut Engine, shelf: &Shelf) {
    engine.set_module_resolver(shelf.clone());
}

/// The text of a module by its identity, for the line that failed; none where it cannot be read any more.
pub(crate) fn text_of(id: &str) -> Option<String> {
    match library::text(id) {
        Some(text) => Some(text.to_owned()),
        None => read_again(Path::new(id)),
    }
}

impl Loader<'_> {
    /// The modules that a file imports, in its order, with their identities.
    fn all(&mut self, imports: &[Import], source: &Source<'_>) -> Result<Vec<(String, Kept)>, Problem> {
        imports.iter().map(|import| self.one(import, source)).collect()
    }

    fn one(&mut self, import: &Import, source: &Source<'_>) -> Result<(String, Kept), Problem> {
        let path = import.path.as_str();
        let wrong = |(message, hint): (String, Option<String>)| source.problem(import.at, message).hint(hint);
        checked(path).map_err(wrong)?;
        if self.chain.iter().any(|open| open == path) {
            let chain = [self.chain.as_slice(), &[path.to_owned()]].concat().join(" → ");
            let itself = self.chain.last().is_some_and(|last| last == path);
            let message = if itself { "the file imports itself" } else { "modules import each other" };
            let hint = "move what both need into a module that imports neither".to_owned();
            return Err(source.problem(import.at, format!("{message}: {chain}")).hint(hint));
        }
        let found = self.find(path).map_err(wrong)?;
        if let Some(done) = self.done.get(path) {
            return Ok((found.id, done.clone()));
        }
        if self.chain.len() > self.limits.module_depth {
            let most = self.limits.module_depth;
            let chain = self.chain.join(" → ");
            let message = format!("modules within modules deeper than {most}: {chain} → {path}");
            return Err(source.problem(import.at, message).hint(limit("module_depth")));
        }
        if self.done.len() >= self.limits.modules {
            let message = format!("the rule imports more than {} modules in all", self.limits.modules);
            return Err(source.problem(import.at, message).hint(limit("modules")));
        }
        let kept = match self.shelf.get(&found.id).filter(|_| path.starts_with(STD)) {
            Some(kept) => kept,
            None => {
                self.chain.push(path.to_owned());
                let kept = self.module(&found)?;
                self.chain.pop();
                self.shelf.keep(&found.id, &kept);
                kept
            }
        };
        self.done.insert(path.to_owned(), kept.clone());
        Ok((found.id, kept))
    }

    /// Compiles a module and what it imports.
    fn module(&mut self, found: &Found) -> Result<Kept, Problem> {
        let source = Source { file: &found.id, text: Some(&found.text) };
        self.engine.set_strict_variables(false);
        let ast = self.engine.compile(&found.text).map_err(|error| source.parse(&error, &[]))?;
        let imports = imports(&ast, &source, self.limits)?;
        let kept = self.all(&imports, &source)?;
        let mut known: BTreeMap<String, Constants> = BTreeMap::new();
        for (_, kept) in &kept {
            known.extend(kept.constants.iter().map(|(id, constants)| (id.clone(), Arc::clone(constants))));
        }
        self.engine.set_module_resolver(Paths::new(&imports, &kept));
        let tag =
            |known: &BTreeMap<String, Constants>| Tag { modules: Arc::new(known.clone()), ..Tag::default() };
        let own = constants(self.engine, self.limits, &source, &found.text, &ast, Scope::new(), tag(&known))?;
        let names: Vec<String> = own.keys().cloned().collect();
        known.insert(found.id.clone(), own);

        let mut scope = Scope::new();
        for name in &names {
            scope.push(name.as_str(), ());
        }
        self.engine.set_strict_variables(true);
        let mut ast = self.engine.compile_with_scope(&scope, &found.text).map_err(|error| {
            source.parse(&error, &[names.as_slice(), &parameters_of(&found.text)].concat())
        })?;
        if let Some(trail) = self.shelf.trail.as_ref().filter(|_| library::text(&found.id).is_none()) {
            ast = lines::followed(self.engine, &ast, &source, &scope, trail);
        }
        ast.set_source(found.id.as_str());
        self.engine.set_default_tag(Dynamic::from(tag(&known)));
        let meter = RunMeter::start(self.limits);
        let module = Module::eval_ast_as_new(Scope::new(), &ast, self.engine);
        drop(meter);
        self.engine.set_default_tag(Dynamic::UNIT);
        self.engine.set_module_resolver(DummyModuleResolver::new());
        let module = module.map_err(|error| source.run(&error, &[]))?;
        let open =
            ast.iter_functions().filter(|f| f.access == FnAccess::Public && !f.name.starts_with("anon$"));
        let functions = open.map(|f| f.name.to_owned()).collect();
        let digest = digest(&kept, &found.text);
        Ok(Kept { module: module.into(), constants: Arc::new(known), functions, digest })
    }

    /// Where a module's text is: in the library, or in the plugin's folder and nowhere else.
    fn find(&self, path: &str) -> Result<Found, (String, Option<String>)> {
        if path.starts_with(STD) {
            return match library::text(path) {
                Some(text) => Ok(Found { id: path.to_owned(), text: text.to_owned() }),
                None => {
                    let near = nearest(path, library::names());
                    let all = || format!("there are: {}", library::names().collect::<Vec<_>>().join(", "));
                    let hint = near.map_or_else(all, |near| format!("did you mean \"{near}\"?"));
                    Err((format!("the standard library has no module `{}`", short(path)), Some(hint)))
                }
            };
        }
        let Some(home) = &self.home else {
            let hint =
                "make it a plugin: a folder with plugin.toml and main.rhai; \"std/…\" is there for all";
            let message = format!("a single file has no modules of its own, such as `{}`", short(path));
            return Err((message, Some(hint.to_owned())));
        };
        let file = home.join(format!("{path}.rhai"));
        let Ok(real) = fs::canonicalize(&file) else {
            let near = nearest(path, modules_in(home));
            let hint = near.map(|near| format!("did you mean \"{near}\"?"));
            return Err((
                format!("there is no module `{0}`: the plugin has no file {0}.rhai", short(path)),
                hint,
            ));
        };
        if !real.starts_with(home) {
            let message =
                format!("the module `{}` is a link that leads out of the plugin's folder", short(path));
            return Err((message, Some("copy the file into the folder".to_owned())));
        }
        // Where the way leads was judged: a link that took the file's place since is not followed.
        match read_itself(&real, self.limits) {
            Ok(text) => Ok(Found { id: file.display().to_string(), text }),
            Err(error) => Err((format!("the module `{}`: {error}", short(path)), None)),
        }
    }
}

/// The imports of a file: at its top, with a plain text for a path and a name.
fn imports(ast: &AST, source: &Source<'_>, limits: &Limits) -> Result<Vec<Import>, Problem> {
    let mut top = Vec::new();
    for statement in ast.statements() {
        let Stmt::Import(import, position) = statement else { continue };
        let (path, alias) = &**import;
        let at = place(*position);
        let Expr::StringConstant(path, _) = path else {
            let hint = "write it as in `import \"lib\" as lib;`".to_owned();
            return Err(source.problem(at, "the path of an import is a plain text in quotes").hint(hint));
        };
        if alias.name.is_empty() {
            let message = format!("the import of `{}` has no name", short(path));
            let hint = "write it as in `import \"lib\" as lib;`".to_owned();
            return Err(source.problem(at, message).hint(hint));
        }
        top.push(Import { path: path.to_string(), alias: alias.name.to_string(), at });
    }
    let mut seen = 0_usize;
    let mut astray = None;
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        if let Some(ASTNode::Stmt(Stmt::Import(_, position))) = nodes.last() {
            seen = seen.saturating_add(1);
            if !top.iter().any(|import| import.at == place(*position)) {
                astray = Some(*position);
            }
        }
        astray.is_none()
    });
    if let Some(position) = astray {
        let hint = "move it above the first function".to_owned();
        return Err(source.problem(place(position), "imports stand at the top of a file").hint(hint));
    }
    if let Some(first) = top.get(limits.modules) {
        let message = format!("the file has more than {} imports", limits.modules);
        return Err(source.problem(first.at, message).hint(limit("modules")));
    }
    for (index, import) in top.iter().enumerate() {
        if top.iter().take(index).any(|earlier| earlier.alias == import.alias) {
            let message = format!("two imports are called `{}`", short(&import.alias));
            return Err(source.problem(import.at, message));
        }
    }
    Ok(top)
}

/// Of a text and of what it imports.
fn digest(imported: &[(String, Kept)], text: &str) -> u64 {
    let mut digest = DefaultHasher::new();
    for (id, kept) in imported {
        (id, kept.digest).hash(&mut digest);
    }
    text.hash(&mut digest);
    digest.finish()
}

fn place(position: Position) -> Option<(usize, usize)> {
    position.line().map(|line| (line, position.position().unwrap_or(1)))
}

/// Whether a path may name a module at all.
fn checked(path: &str) -> Result<(), (String, Option<String>)> {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if let Some(path) = path.strip_suffix(".rhai") {
        let hint = format!("write it without: import \"{}\"", short(path));
        return Err(("the path of an import has no .rhai at its end".to_owned(), Some(hint)));
    }
    if path.len() > MOST_PATH_BYTES || !path.split('/').all(plain) {
        let message = format!("`{}` is not in the plugin's folder", short(path));
        let hint = "a path is names of letters, digits, - and _ with / between them, such as \"lib\" or \
                    \"parts/lib\""
            .to_owned();
        return Err((message, Some(hint)));
    }
    Ok(())
}

/// The modules of a folder, for hints.
fn modules_in(home: &Path) -> Vec<String> {
    let entries = fs::read_dir(home).into_iter().flatten().filter_map(Result::ok).take(100);
    let stems = entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.strip_suffix(".rhai").map(str::to_owned)
    });
    stems.filter(|stem| stem != MAIN).collect()
}

impl Shelf {
    /// Has the lines of modules that are loaded from now on told to a trail.
    pub(crate) fn follow(&mut self, trail: Option<&Arc<Trail>>) {
        self.trail = trail.cloned();
    }

    pub(crate) const fn follows(&self) -> bool {
        self.trail.is_some()
    }

    fn get(&self, id: &str) -> Option<Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn keep(&self, id: &str, kept: &Kept) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), kept.clone());
    }
}

impl ModuleResolver for Shelf {
    fn resolve(
        &self,
        _: &Engine,
        _: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let shelf = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        match shelf.get(path) {
            Some(kept) => Ok(Shared::clone(&kept.module)),
            None => Err(not_found(path, position)),
        }
    }
}

/// The modules of one file by the paths it writes, while its top runs.
struct Paths(BTreeMap<String, Shared<Module>>);

impl Paths {
    fn new(imports: &[Import], kept: &[(String, Kept)]) -> Self {
        let modules = kept.iter().map(|(_, kept)| Shared::clone(&kept.module));
        Self(imports.iter().map(|import| import.path.clone()).zip(modules).collect())
    }
}

impl ModuleResolver for Paths {
    fn resolve(
        &self,
        _: &Engine,
        _: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        self.0.get(path).cloned().ok_or_else(|| not_found(path, position))
    }
}

fn not_found(path: &str, position: Position) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorModuleNotFound(path.to_owned(), position))
}
