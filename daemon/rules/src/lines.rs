//! Which lines of a rule run: found offline, by marks set into a copy of its text where the parser says that a statement
//! begins. The service's own rules have none, so that it pays nothing; Rhai's debugger would cost every rule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::problem::Source;
use rhai::{AST, ASTNode, Engine, Expr, OptimizationLevel, Position, Scope, Stmt};

/// The function that is called. To the service's own rules it is unknown, as any other that is not registered.
const MARK: &str = "__line";

/// So many lines are kept in the order in which they ran.
const MOST_IN_ORDER: usize = 10_000;

/// So often a file is compiled at most to find marks that do not fit.
const MOST_TRIES: usize = 200;

/// What ran.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    inner: Mutex<Inner>,
}

/// A line of a file: the file's number in the trail, and the line's from 1.
type Place = (usize, usize);

#[derive(Debug, Default)]
struct Inner {
    /// The files that are followed, by their names.
    files: Vec<String>,
    /// Lines on which a statement begins.
    statements: BTreeSet<Place>,
    reached: BTreeSet<Place>,
    order: Vec<Place>,
}

impl Trail {
    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ran(&self, place: Place) {
        self.with(|inner| {
            inner.reached.insert(place);
            if inner.order.len() < MOST_IN_ORDER {
                inner.order.push(place);
            }
        });
    }

    /// The number of a file.
    fn file(&self, name: &str) -> usize {
        self.with(|inner| {
            inner.files.iter().position(|known| known == name).unwrap_or_else(|| {
                inner.files.push(name.to_owned());
                inner.files.len().saturating_sub(1)
            })
        })
    }

    fn named(inner: &Inner, places: impl Iterator<Item = Place>) -> Vec<(String, usize)> {
        places.filter_map(|(file, line)| Some((inner.files.get(file)?.clone(), line))).collect()
    }

    /// Lines on which a statement begins, with their files.
    pub(crate) fn statements(&self) -> Vec<(String, usize)> {
        self.with(|inner| Self::named(inner, inner.statements.iter().copied()))
    }

    /// Those of them that never ran.
    pub(crate) fn unreached(&self) -> Vec<(String, usize)> {
        self.with(|inner| Self::named(inner, inner.statements.difference(&inner.reached).copied()))
    }

    /// The lines in the order in which they ran, the first ten thousand.
    pub(crate) fn order(&self) -> Vec<(String, usize)> {
        self.with(|inner| Self::named(inner, inner.order.iter().copied()))
    }
}

/// The file with a mark before each statement of its functions, which tells the trail. `scope` holds the names of the
/// file's constants.
pub(crate) fn followed(
    engine: &mut Engine,
    ast: &AST,
    source: &Source<'_>,
    scope: &Scope<'_>,
    trail: &Arc<Trail>,
) -> AST {
    let Some(text) = source.text else { return ast.clone() };
    let file = trail.file(source.file);
    let told = Arc::clone(trail);
    let number = |n: i64| usize::try_from(n).unwrap_or_default();
    engine.register_fn(MARK, move |file: i64, line: i64| told.ran((number(file), number(line))));
    engine.set_max_expr_depths(0, 0);
    // A `return` at the end is a line, too.
    engine.set_optimization_level(OptimizationLevel::None);
    let engine = &*engine;
    let compiled = |marks: &[Mark]| engine.compile_with_scope(scope, marked(file, text, marks)).ok();
    let all = match engine.compile_with_scope(scope, text) {
        Ok(mut ast) => {
            // What stands at the top runs as the file is loaded.
            ast.clear_statements();
            marks(&ast, text)
        }
        Err(_) => Vec::new(),
    };
    let (kept, followed) = match compiled(&all) {
        Some(followed) => (all, followed),
        None => {
            // Some form of the language is not known here: whichever marks do not fit are left out.
            let mut tries = MOST_TRIES;
            let mut kept: Vec<Mark> = Vec::new();
            fitting(&mut kept, &all, &mut tries, &|marks| compiled(marks).is_some());
            match compiled(&kept) {
                Some(followed) => (kept, followed),
                None => (Vec::new(), ast.clone()),
            }
        }
    };
    trail.with(|inner| inner.statements.extend(kept.iter().map(|mark| (file, mark.line))));
    followed
}

/// Adds to `kept` those of the marks behind it that fit. They are tried together, and by halves where they do not fit so:
/// a few that do not fit among many are found by few tries. Once the tries are used up the rest is left out.
fn fitting(kept: &mut Vec<Mark>, marks: &[Mark], tries: &mut usize, fits: &dyn Fn(&[Mark]) -> bool) {
    if marks.is_empty() || *tries == 0 {
        return;
    }
    *tries = tries.saturating_sub(1);
    let before = kept.len();
    kept.extend_from_slice(marks);
    if fits(kept) {
        return;
    }
    kept.truncate(before);
    if marks.len() > 1 {
        let (first, second) = marks.split_at(marks.len() / 2);
        fitting(kept, first, tries, fits);
        fitting(kept, second, tries, fits);
    }
}

/// Where a mark goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    /// Before this byte.
    offset: usize,
    line: usize,
    /// Whether it is a statement of its own, or stands in front of an expression.
    whole: bool,
}

/// The text with every mark in it. A mark gives `()`, so that `mark ?? value` is the value, whatever stands around it.
fn marked(file: usize, text: &str, marks: &[Mark]) -> String {
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    let mut from = 0;
    for mark in marks {
        out.push_str(text.get(from..mark.offset).unwrap_or_default());
        let end = if mark.whole { ";" } else { " ?? " };
        out.push_str(&format!("{MARK}({file}, {}){end}", mark.line));
        from = mark.offset;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// The marks that the statements of all functions need, in the order of the text, one a place.
fn marks(ast: &AST, text: &str) -> Vec<Mark> {
    let mut lines = vec![0];
    lines.extend(text.match_indices('\n').map(|(at, _)| at.saturating_add(1)));
    let offset = |position: Position| {
        let start = *lines.get(position.line()?.checked_sub(1)?)?;
        let line = text.get(start..)?;
        let column = position.position()?.checked_sub(1)?;
        line.char_indices().map(|(at, _)| at).nth(column).and_then(|at| start.checked_add(at))
    };
    let code = Code::of(text);
    let mut found: BTreeMap<usize, Mark> = BTreeMap::new();
    let mut mark = |at: Position, whole: bool| {
        let (Some(line), Some(mut offset)) = (at.line(), offset(at)) else { return };
        // An `if` or a loop may stand where a value does.
        let whole = whole && matches!(code.before(offset), Some((_, b'{' | b'}' | b';')) | None);
        while let Some((sign, b'!' | b'-' | b'+')) = code.before(offset).filter(|_| !whole) {
            // It would bind to the mark.
            offset = sign;
        }
        found.entry(offset).or_insert(Mark { offset, line, whole });
    };
    // Walked by themselves: a path is long, and only its end matters.
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        // What stands in a text's `${…}` is a part of the statement that the text is in.
        let in_text = path.iter().any(|node| matches!(node, ASTNode::Expr(Expr::InterpolatedString(..))));
        if let (Some(ASTNode::Stmt(statement)), false) = (path.last(), in_text) {
            let at = first_of(ASTNode::Stmt(statement));
            match statement {
                Stmt::Noop(_) | Stmt::Block(_) => {}
                Stmt::Expr(_) | Stmt::FnCall(..) => mark(at, false),
                Stmt::If(flow, at) if offset(*at).is_some_and(|offset| code.follows_else(offset)) => {
                    mark(first_of(ASTNode::Expr(&flow.expr)), false);
                }
                _ => mark(at, true),
            }
            if let Stmt::Switch(parts, _) = statement {
                for arm in &parts.1.expressions {
                    // A block marks its own statements.
                    if !matches!(arm.rhs, Expr::Stmt(_)) {
                        mark(first_of(ASTNode::Expr(&arm.rhs)), false);
                    }
                }
            }
        }
        true
    });
    found.into_values().collect()
}

/// The first place in the text of anything in a node: a statement's own may be that of an operator in its middle.
fn first_of(node: ASTNode<'_>) -> Position {
    let mut first = Position::NONE;
    let mut look = |path: &[ASTNode<'_>]| {
        let position = match path.last() {
            Some(ASTNode::Stmt(statement)) => statement.position(),
            Some(ASTNode::Expr(expression)) => expression.position(),
            _ => Position::NONE,
        };
        if !position.is_none() && (first.is_none() || position < first) {
            first = position;
        }
        true
    };
    match node {
        ASTNode::Stmt(statement) => statement.walk(&mut Vec::new(), &mut look),
        ASTNode::Expr(expression) => expression.walk(&mut Vec::new(), &mut look),
        _ => true,
    };
    first
}

/// The text without blanks, comments and what stands in quotes: each byte with its place.
struct Code(Vec<(usize, u8)>);

impl Code {
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let at = |i: usize| bytes.get(i).copied().unwrap_or_default();
        let mut code = Vec::new();
        // Templates that are open, each with the braces open in its `${`.
        let mut templates: Vec<u32> = Vec::new();
        let mut i = 0_usize;
        while i < bytes.len() {
            let next = i.saturating_add(1);
            match (at(i), at(next)) {
                (b'/', b'/') => i = find(text, i, "\n"),
                (b'/', b'*') => i = find(text, next, "*/").saturating_add(2),
                (quote @ (b'"' | b'\''), _) => {
                    code.push((i, quote));
                    i = next;
                    while i < bytes.len() && at(i) != quote {
                        i = i.saturating_add(if at(i) == b'\\' { 2 } else { 1 });
                    }
                    code.push((i, quote));
                    i = i.saturating_add(1);
                }
                (b'`', _) => {
                    code.push((i, b'`'));
                    i = template(text, next, &mut templates, &mut code);
                }
                (b'}', _) if templates.last() == Some(&0) => {
                    code.push((i, b'}'));
                    templates.pop();
                    i = template(text, next, &mut templates, &mut code);
                }
                (byte, _) => {
                    if let Some(open) = templates.last_mut() {
                        match byte {
                            b'{' => *open = open.saturating_add(1),
                            b'}' => *open = open.saturating_sub(1),
                            _ => {}
                        }
                    }
                    if !byte.is_ascii_whitespace() {
                        code.push((i, byte));
                    }
                    i = next;
                }
            }
        }
        Self(code)
    }

    /// The last byte before a place.
    fn before(&self, offset: usize) -> Option<(usize, u8)> {
        let end = self.0.partition_point(|(at, _)| *at < offset);
        self.0.get(end.checked_sub(1)?).copied()
    }

    fn follows_else(&self, offset: usize) -> bool {
        let end = self.0.partition_point(|(at, _)| *at < offset);
        let word = self.0.get(end.saturating_sub(4)..end).unwrap_or_default();
        word.iter().map(|(_, byte)| *byte).eq(*b"else")
    }
}

/// The inside of a template, until it ends or a `${` opens; behind either.
fn template(text: &str, from: usize, templates: &mut Vec<u32>, code: &mut Vec<(usize, u8)>) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let end = rest.find('`').unwrap_or(rest.len());
    match rest.find("${").filter(|open| *open < end) {
        Some(open) => {
            templates.push(0);
            let brace = from.saturating_add(open).saturating_add(1);
            code.push((brace, b'{'));
            brace.saturating_add(1)
        }
        None => {
            code.push((from.saturating_add(end), b'`'));
            from.saturating_add(end).saturating_add(1)
        }
    }
}

fn find(text: &str, from: usize, what: &str) -> usize {
    text.get(from..).and_then(|rest| rest.find(what)).map_or(text.len(), |at| from.saturating_add(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;
    use crate::limits::Limits;

    /// The marked text of a function's body.
    fn marked_text(text: &str) -> String {
        let mut engine = engine::build(&Limits::default());
        engine.set_strict_variables(false).set_optimization_level(OptimizationLevel::None);
        let ast = engine.compile(text).unwrap();
        let out = marked(0, text, &marks(&ast, text));
        let again = engine.compile(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
        assert_eq!(again.iter_functions().count(), ast.iter_functions().count(), "{out}");
        out.replace(&format!("{MARK}(0, "), "L(")
    }

    #[test]
    fn each_statement_is_marked_where_it_begins() {
        for (text, expected) in [
            (
                "fn f(a) {\n    let b = a; // {\n    b = 2;\n}",
                "fn f(a) {\n    L(2);let b = a; // {\n    L(3);b = 2;\n}",
            ),
            ("fn f(a) { a + 1 }", "fn f(a) { L(1) ?? a + 1 }"),
            ("fn f(a) { (a + 1).foo(); }", "fn f(a) { (L(1) ?? a + 1).foo(); }"),
            ("fn f(a) { -a }", "fn f(a) { L(1) ?? -a }"),
            ("fn f(a) { return; }", "fn f(a) { L(1);return; }"),
            ("fn f(a) { `x ${a + `y`} z`.foo() }", "fn f(a) { L(1) ?? `x ${a + `y`} z`.foo() }"),
            (
                "fn f(a) {\n if a {\n 1\n } else if !a\n {\n 2\n } else {\n 3\n }\n}",
                "fn f(a) {\n L(2);if a {\n L(3) ?? 1\n } else if L(4) ?? !a\n {\n L(6) ?? 2\n } else {\n L(8) ?? 3\n }\n}",
            ),
            (
                "fn f(a) { let b = if a { 1 } else { 2 }; }",
                "fn f(a) { L(1);let b = L(1) ?? if a { L(1) ?? 1 } else { L(1) ?? 2 }; }",
            ),
            (
                "fn f(a) { switch a {\n 1 => foo(),\n 2 => { bar() }\n _ => a == 3\n} }",
                "fn f(a) { L(1);switch a {\n L(2)",
            ),
            ("fn f(a) { a.filter(|s| s.b) }", "fn f(a) { L(1) ?? a.filter(|s| L(1) ?? s.b) }"),
            (
                "fn f(a) { a.map(|s| if s { 1 } else { 2 }) }",
                "fn f(a) { L(1) ?? a.map(|s| L(1) ?? if s { L(1) ?? 1 } else { L(1) ?? 2 }) }",
            ),
            (
                "fn f(a) { for x in a { if x { break; } } }",
                "fn f(a) { L(1);for x in a { L(1);if x { L(1);break; } } }",
            ),
            ("fn f(a) { remind(\"{;}\", #{ b: 1 }); }", "fn f(a) { L(1) ?? remind(\"{;}\", #{ b: 1 }); }"),
        ] {
            let found = marked_text(text);
            if expected.ends_with("L(2)") {
                assert!(
                    found.contains("1 => L(2) ?? foo()") && found.contains("{ L(3) ?? bar() }"),
                    "{found}"
                );
                assert!(found.contains("_ => L(4) ?? a == 3"), "{found}");
            } else {
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn marks_that_do_not_fit_are_found_by_few_tries() {
        let all: Vec<Mark> = (0..2_000).map(|n| Mark { offset: n, line: n, whole: true }).collect();
        let of = |bad: &dyn Fn(usize) -> bool| {
            let tried = std::cell::Cell::new(0);
            let fits = |marks: &[Mark]| {
                tried.set(tried.get() + 1);
                assert!(marks.is_sorted(), "in the order of the text");
                !marks.iter().any(|mark| bad(mark.offset))
            };
            let (mut kept, mut tries) = (Vec::new(), MOST_TRIES);
            fitting(&mut kept, &all, &mut tries, &fits);
            (kept.iter().map(|mark| mark.offset).collect::<Vec<_>>(), tried.get())
        };
        let (kept, tried) = of(&|n| [3, 700, 1_999].contains(&n));
        assert_eq!((kept.len(), kept.contains(&700)), (1_997, false));
        assert!(tried < 80, "{tried}");
        let (kept, tried) = of(&|_| true);
        assert_eq!((kept.len(), tried), (0, MOST_TRIES), "and no more, whatever the file");
    }

    #[test]
    fn what_a_marked_function_gives_is_what_it_gave() {
        let text = "fn f(a) {\n let b = if a > 1 { a * 2 } else { 7 };\n switch b {\n 4 => -b + 1,\n 7 => { b }\n _ => 0\n }\n}";
        let mut engine = engine::build(&Limits::default());
        let ast = engine.compile(text).unwrap();
        let trail = Arc::new(Trail::default());
        let source = Source { file: "f.rhai", text: Some(text) };
        let followed = followed(&mut engine, &ast, &source, &Scope::new(), &trail);
        for (given, expected, last) in [(2_i64, -3_i64, 4), (0, 7, 5), (5, 0, 6)] {
            let call = |ast: &AST| engine.call_fn::<i64>(&mut Scope::new(), ast, "f", (given,)).unwrap();
            assert_eq!((call(&ast), call(&followed)), (expected, expected));
            assert_eq!(trail.order().last(), Some(&("f.rhai".to_owned(), last)));
        }
        let lines: Vec<usize> = trail.statements().into_iter().map(|(_, line)| line).collect();
        assert_eq!((lines, trail.unreached()), (vec![2, 3, 4, 5, 6], vec![]));
    }
}
