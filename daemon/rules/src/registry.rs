//! The one place where things become known to rules: each is registered with its form and one line of what it is, so
//! that hints, the reference and the editor's definitions tell of what there is, and of all of it.

use std::any::{Any, TypeId};
use std::sync::OnceLock;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, RhaiNativeFunc};
use rust_decimal::Decimal;

use crate::engine;
use crate::limits::Limits;

/// An engine under construction. A [`Book`] is kept only where one is asked for: the service needs none.
#[derive(Debug)]
pub(crate) struct Registry<'e> {
    engine: &'e mut Engine,
    book: Option<&'e mut Book>,
}

/// What was registered, in order.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Types with the name that rules see and what they are.
    pub(crate) types: Vec<Type>,
    /// Functions, one for each form.
    pub(crate) functions: Vec<Function>,
    /// Read-only properties.
    pub(crate) properties: Vec<Property>,
    /// Operators between two values, or before one.
    pub(crate) operators: Vec<Operator>,
    section: &'static str,
}

/// A type of the rule language.
#[derive(Debug)]
pub(crate) struct Type {
    /// Which type it is.
    pub(crate) id: TypeId,
    /// As rules and messages name it.
    pub(crate) name: &'static str,
    /// One line.
    pub(crate) doc: &'static str,
}

/// One form of a function.
#[derive(Debug)]
pub(crate) struct Function {
    /// Where the reference puts it.
    pub(crate) section: &'static str,
    /// `name(parameter: type, …) -> type`.
    pub(crate) form: &'static str,
    /// A call of it.
    pub(crate) example: &'static str,
    /// One line.
    pub(crate) doc: &'static str,
    /// What is registered in truth.
    #[cfg_attr(not(test), allow(dead_code, reason = "a test compares it with the form"))]
    pub(crate) signature: Signature,
}

/// A property of a type.
#[derive(Debug)]
pub(crate) struct Property {
    /// Whose property it is.
    pub(crate) owner: TypeId,
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type; with `?` behind it where it may be absent.
    pub(crate) of: &'static str,
    /// One line.
    pub(crate) doc: &'static str,
    /// What its getter gives in truth.
    #[cfg_attr(not(test), allow(dead_code, reason = "a test compares it with the type told"))]
    pub(crate) gives: TypeId,
}

/// An operator for certain types.
#[derive(Debug)]
pub(crate) struct Operator {
    /// Its symbol.
    pub(crate) symbol: &'static str,
    /// One line.
    pub(crate) doc: &'static str,
    /// What is registered in truth.
    pub(crate) signature: Signature,
}

/// Types taken and given.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) takes: Vec<TypeId>,
    pub(crate) gives: TypeId,
}

impl<'e> Registry<'e> {
    pub(crate) fn new(engine: &'e mut Engine, book: Option<&'e mut Book>) -> Self {
        Self { engine, book }
    }

    /// For what nobody calls by name, and for functions of Rhai's own that are made safe.
    pub(crate) fn engine(&mut self) -> &mut Engine {
        self.engine
    }

    /// Where the reference puts the functions that follow.
    pub(crate) fn section(&mut self, section: &'static str) -> &mut Self {
        if let Some(book) = &mut self.book {
            book.section = section;
        }
        self
    }

    /// A type, by the name that rules see.
    pub(crate) fn kind<T: Any + Clone + Send + Sync>(
        &mut self,
        name: &'static str,
        doc: &'static str,
    ) -> &mut Self {
        if let Some(book) = &mut self.book {
            book.types.push(Type { id: TypeId::of::<T>(), name, doc });
        }
        self.engine.register_type_with_name::<T>(name);
        self
    }

    /// A function: its form such as `daily(time: string) -> Schedule`, which names it, a call of it, and one line.
    /// A function of several forms is registered once for each.
    pub(crate) fn function<A, const N: usize, const X: bool, R, const F: bool, Func>(
        &mut self,
        form: &'static str,
        example: &'static str,
        doc: &'static str,
        function: Func,
    ) -> &mut Self
    where
        A: 'static,
        R: Any + Clone + Send + Sync,
        Func: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        if let Some(book) = &mut self.book {
            let signature = Signature { takes: Func::param_types().to_vec(), gives: TypeId::of::<R>() };
            book.functions.push(Function { section: book.section, form, example, doc, signature });
        }
        self.engine.register_fn(name_of(form), function);
        self
    }

    /// A read-only property of the getter's one value: its name, its type (`string`, or `string?` where it may be
    /// absent), and one line.
    pub(crate) fn property<A, const X: bool, R, const F: bool, Func>(
        &mut self,
        name: &'static str,
        of: &'static str,
        doc: &'static str,
        getter: Func,
    ) -> &mut Self
    where
        A: 'static,
        R: Any + Clone + Send + Sync,
        Func: RhaiNativeFunc<A, 1, X, R, F> + Send + Sync + 'static,
    {
        if let Some(book) = &mut self.book {
            let [owner] = Func::param_types();
            book.properties.push(Property { owner, name, of, doc, gives: TypeId::of::<R>() });
        }
        // As `Engine::register_get` does, whose bound names a type that Rhai keeps to itself.
        self.engine.register_fn(format!("get${name}"), getter);
        self
    }

    /// An operator, and one line.
    pub(crate) fn operator<A, const N: usize, const X: bool, R, const F: bool, Func>(
        &mut self,
        symbol: &'static str,
        doc: &'static str,
        function: Func,
    ) -> &mut Self
    where
        A: 'static,
        R: Any + Clone + Send + Sync,
        Func: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        if let Some(book) = &mut self.book {
            let signature = Signature { takes: Func::param_types().to_vec(), gives: TypeId::of::<R>() };
            book.operators.push(Operator { symbol, doc, signature });
        }
        self.engine.register_fn(symbol, function);
        self
    }
}

impl Book {
    /// What is registered, for messages: made when the first one needs it.
    pub(crate) fn shown() -> &'static Self {
        static BOOK: OnceLock<Book> = OnceLock::new();
        BOOK.get_or_init(Self::of_all)
    }

    /// What `register` registers: one book for all who ask.
    pub(crate) fn kept(book: &'static OnceLock<Self>, register: fn(&mut Registry<'_>)) -> &'static Self {
        book.get_or_init(|| {
            let mut book = Self::default();
            book.note(register);
            book
        })
    }

    /// Notes what `register` registers, as well.
    pub(crate) fn note(&mut self, register: fn(&mut Registry<'_>)) {
        register(&mut Registry::new(&mut Engine::new_raw(), Some(self)));
    }

    /// What an engine of rules has.
    pub(crate) fn of_all() -> Self {
        let mut book = Self::default();
        let _ = engine::build_noting(&Limits::default(), &mut book);
        book
    }

    /// Names of functions, those of several forms several times.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &'static str> {
        self.functions.iter().map(|function| name_of(function.form))
    }

    /// How a function is called.
    pub(crate) fn examples(&self, name: &str) -> Vec<&'static str> {
        let forms = self.functions.iter().filter(|function| name_of(function.form) == name);
        forms.map(|function| function.example).collect()
    }

    /// The properties of a type, in order.
    pub(crate) fn properties_with(&self, owner: TypeId) -> impl Iterator<Item = &Property> {
        self.properties.iter().filter(move |property| property.owner == owner)
    }

    /// Names of the properties of a type as messages name it; `i64` and `decimal` are numbers.
    pub(crate) fn properties_of(&self, shown: &str) -> Vec<&'static str> {
        let owner = match shown {
            "i64" => Some(TypeId::of::<i64>()),
            "decimal" => Some(TypeId::of::<Decimal>()),
            _ => self.types.iter().find(|kind| kind.name == shown).map(|kind| kind.id),
        };
        owner.into_iter().flat_map(|owner| self.properties_with(owner)).map(|one| one.name).collect()
    }

    /// A type as the reference names it.
    pub(crate) fn name(&self, id: TypeId) -> &'static str {
        let plain = [
            (TypeId::of::<()>(), "()"),
            (TypeId::of::<bool>(), "bool"),
            (TypeId::of::<i64>(), "int"),
            (TypeId::of::<Decimal>(), "decimal"),
            (TypeId::of::<&str>(), "string"),
            (TypeId::of::<String>(), "string"),
            (TypeId::of::<ImmutableString>(), "string"),
            (TypeId::of::<Array>(), "list"),
            (TypeId::of::<Map>(), "map"),
            (TypeId::of::<Dynamic>(), "any"),
        ];
        plain
            .into_iter()
            .find(|(plain, _)| *plain == id)
            .map(|(_, name)| name)
            .or_else(|| self.types.iter().find(|kind| kind.id == id).map(|kind| kind.name))
            .unwrap_or("?")
    }
}

/// The name of a function by its form.
pub(crate) fn name_of(form: &'static str) -> &'static str {
    form.split('(').next().unwrap_or(form)
}
