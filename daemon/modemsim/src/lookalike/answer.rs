//! Method calls: one in, one answer out.

use std::collections::HashMap;

use zbus::Variant;
use zbus::message::{Body, Flags, Header, Message};

use super::fault::Fault;
use super::interfaces::{OBJECT_MANAGER, PROPERTIES, ROOT, interface, introspection};
use super::shape::Dict;
use super::spec::Report;
use super::tree::object;
use super::world::World;

/// What a method gives back.
pub(super) enum Answer {
    Nothing,
    Text(String),
    Path(String),
    Paths(Vec<String>),
    Flag(bool),
    Dict(Dict),
    Dicts(Vec<Dict>),
    Location(HashMap<u32, Variant<'static>>),
    Firmware,
}

impl World {
    /// Answers a call; `None` where no answer is wanted, or where the script keeps it back.
    pub(crate) fn answer(&mut self, call: &Message) -> Option<Message> {
        let header = call.header();
        let path = header.path()?.to_string();
        let member = header.member()?.to_string();
        let interface = header.interface().map(ToString::to_string).unwrap_or_default();
        let reply = match self.standard(&header, &path, &interface, &member, &call.body()) {
            Some(reply) => reply,
            None => self.own(&header, &path, &interface, &member, &call.body())?,
        };
        let reply = reply
            .unwrap_or_else(|fault| Message::error(&header, fault.name.as_str()).build(&fault.text.as_str()));
        if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
            return None;
        }
        reply.inspect_err(|error| tracing::error!(%error, "reply not built")).ok()
    }

    /// The interfaces that every D-Bus object has; `None` for all others.
    fn standard(
        &self,
        header: &Header<'_>,
        path: &str,
        interface: &str,
        member: &str,
        body: &Body,
    ) -> Option<Result<zbus::Result<Message>, Fault>> {
        let reply = || Message::method_return(header);
        let no_interface = |name: &str| Fault::dbus("InvalidArgs", &format!("No such interface “{name}”"));
        let known = self.tree.interfaces_of(path);
        Some(Ok(match (interface, member) {
            ("org.freedesktop.DBus.Peer", "Ping") => reply().build(&()),
            ("org.freedesktop.DBus.Introspectable", "Introspect") => {
                let names: Vec<&str> = known.map(|known| known.keys().copied().collect()).unwrap_or_default();
                let children = self.tree.children_of(path);
                reply().build(&introspection(&names, &children).as_str())
            }
            (OBJECT_MANAGER, "GetManagedObjects") if path == ROOT => reply().build(&self.tree.managed()),
            (PROPERTIES, "Get") => {
                let Ok((name, property)) = body.deserialize::<(String, String)>() else {
                    return Some(Err(bad_arguments(body, "ss")));
                };
                let Some(value) = self.tree.property(path, &name, &property) else {
                    return Some(Err(match known.and_then(|known| known.get(name.as_str())) {
                        Some(_) => Fault::dbus("InvalidArgs", &format!("No such property “{property}”")),
                        None if known.is_some() => no_interface(&name),
                        None => unknown_object(path),
                    }));
                };
                reply().build(value)
            }
            (PROPERTIES, "GetAll") => {
                let Ok(name) = body.deserialize::<String>() else {
                    return Some(Err(bad_arguments(body, "s")));
                };
                let Some(known) = known else { return Some(Err(unknown_object(path))) };
                let Some(props) = known.get(name.as_str()) else { return Some(Err(no_interface(&name))) };
                let props: HashMap<&str, &Variant<'_>> = props.iter().map(|(k, v)| (*k, v)).collect();
                reply().build(&props)
            }
            (PROPERTIES, "Set") => {
                return Some(Err(Fault::dbus("PropertyReadOnly", "all properties are read-only")));
            }
            _ => return None,
        }))
    }

    /// ModemManager's own interfaces; `None` where the script lets the call hang.
    fn own(
        &mut self,
        header: &Header<'_>,
        path: &str,
        name: &str,
        member: &str,
        body: &Body,
    ) -> Option<Result<zbus::Result<Message>, Fault>> {
        let Some(known) = self.tree.interfaces_of(path) else { return Some(Err(unknown_object(path))) };
        if !known.contains_key(name) {
            return Some(Err(Fault::dbus("UnknownMethod", &format!("no interface “{name}” on {path}"))));
        }
        let method = interface(name)
            .and_then(|interface| interface.methods.iter().find(|method| method.name == member));
        let Some(method) = method else {
            return Some(Err(Fault::dbus("UnknownMethod", &format!("no method “{member}” in {name}"))));
        };
        let expected = method.input_signature();
        let given = body.signature();
        if given.to_string_no_parens() != expected && given.to_string() != expected {
            return Some(Err(bad_arguments(body, &expected)));
        }
        if let Some(refusal) = self.refusal(name, member) {
            return refusal.map(Err);
        }
        let reply = || Message::method_return(header);
        let answer = match self.perform(path, name, member, body) {
            Ok(answer) => answer,
            Err(fault) => return Some(Err(fault)),
        };
        Some(Ok(match answer {
            Answer::Nothing => reply().build(&()),
            Answer::Text(value) => reply().build(&value.as_str()),
            Answer::Path(value) => reply().build(&object(&value)),
            Answer::Paths(values) => {
                reply().build(&values.iter().map(|value| object(value)).collect::<Vec<_>>())
            }
            Answer::Flag(value) => reply().build(&value),
            Answer::Dict(value) => reply().build(&value),
            Answer::Dicts(values) => reply().build(&values),
            Answer::Location(value) => reply().build(&value),
            Answer::Firmware => reply().build(&("", Vec::<Dict>::new())),
        }))
    }

    /// The scripted refusal of a method, counted down; the inner `None` keeps the answer back for ever.
    fn refusal(&mut self, interface: &str, member: &str) -> Option<Option<Fault>> {
        let short = interface.rsplit('.').next().unwrap_or_default();
        let method = format!("{short}.{member}");
        let at = self.refusals.iter().position(|refusal| refusal.method == method)?;
        let refusal = self.refusals.get_mut(at)?;
        let (error, message) = (refusal.error.clone(), refusal.text.clone());
        if let Some(times) = refusal.times.as_mut() {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.refusals.remove(at);
            }
        }
        let fault = (!error.is_empty()).then(|| Fault::new(&error, &message));
        self.report(Report::Refused { method, error });
        Some(fault)
    }
}

fn bad_arguments(body: &Body, expected: &str) -> Fault {
    let found = body.signature();
    Fault::dbus(
        "InvalidArgs",
        &format!("Type of message, “({found})”, does not match expected type “({expected})”"),
    )
}

pub(super) fn unknown_object(path: &str) -> Fault {
    Fault::dbus("UnknownMethod", &format!("Object does not exist at path “{path}”"))
}
