//! The objects on the bus with their properties, and the clients that are told of changes.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::mpsc;
use zbus::wire::DynamicType;
use zbus::{Message, ObjectPath, Variant};

use super::interfaces::{MM, MODEM, OBJECT_MANAGER, PROPERTIES, ROOT, interface};

/// Properties of one interface of one object.
pub(crate) type Props = BTreeMap<&'static str, Variant<'static>>;

/// Messages a client may lag behind before it is dropped, as a bus would drop it.
pub(crate) const CLIENT_QUEUE: usize = 8192;

/// All objects, and everyone listening.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    objects: BTreeMap<String, BTreeMap<&'static str, Props>>,
    clients: BTreeMap<u64, mpsc::Sender<Message>>,
    next_client: u64,
}

impl Tree {
    pub(crate) fn attach(&mut self) -> (u64, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(CLIENT_QUEUE);
        self.next_client += 1;
        self.clients.insert(self.next_client, sender);
        (self.next_client, receiver)
    }

    pub(crate) fn detach(&mut self, client: u64) {
        self.clients.remove(&client);
    }

    /// Forgets every object and drops every client without a word, as a dying daemon does.
    pub(crate) fn collapse(&mut self) {
        self.objects.clear();
        self.clients.clear();
    }

    /// Queues a message for one client, in order with the signals.
    pub(crate) fn send(&mut self, client: u64, message: Message) {
        if let Some(sender) = self.clients.get(&client)
            && sender.try_send(message).is_err()
        {
            self.clients.remove(&client);
        }
    }

    pub(crate) fn interfaces_of(&self, path: &str) -> Option<&BTreeMap<&'static str, Props>> {
        self.objects.get(path)
    }

    pub(crate) fn property(&self, path: &str, interface: &str, name: &str) -> Option<&Variant<'static>> {
        self.objects.get(path)?.get(interface)?.get(name)
    }

    pub(crate) fn children_of(&self, path: &str) -> Vec<String> {
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let mut names: Vec<String> = self
            .objects
            .keys()
            .filter_map(|known| known.strip_prefix(&prefix))
            .filter_map(|rest| rest.split('/').next().filter(|name| !name.is_empty()))
            .map(str::to_owned)
            .collect();
        names.dedup();
        names
    }

    /// Adds interfaces to an object; those of modems are announced, as only modems are in the object manager.
    pub(crate) fn add(&mut self, path: &str, interfaces: Vec<(&'static str, Props)>) {
        for (name, props) in &interfaces {
            debug_check(name, props);
        }
        if is_modem(path) {
            let added: HashMap<&str, HashMap<&str, &Variant<'_>>> = interfaces
                .iter()
                .map(|(name, props)| (*name, props.iter().map(|(key, value)| (*key, value)).collect()))
                .collect();
            self.emit(ROOT, OBJECT_MANAGER, "InterfacesAdded", &(object(path), added));
        }
        self.objects.entry(path.to_owned()).or_default().extend(interfaces);
    }

    /// Removes single interfaces of a modem, or the whole object where it has no others.
    pub(crate) fn remove_interfaces(&mut self, path: &str, names: &[&'static str]) {
        let Some(object_interfaces) = self.objects.get_mut(path) else { return };
        object_interfaces.retain(|name, _| !names.contains(name));
        if object_interfaces.is_empty() {
            self.objects.remove(path);
        }
        if is_modem(path) {
            self.emit(ROOT, OBJECT_MANAGER, "InterfacesRemoved", &(object(path), names));
        }
    }

    /// Removes an object with all its interfaces.
    pub(crate) fn remove(&mut self, path: &str) {
        let names: Vec<&'static str> =
            self.objects.get(path).into_iter().flat_map(|interfaces| interfaces.keys().copied()).collect();
        self.remove_interfaces(path, &names);
    }

    /// Sets properties; what really changes is told in one PropertiesChanged. Unknown objects are left alone.
    pub(crate) fn set<const N: usize>(
        &mut self,
        path: &str,
        interface: &'static str,
        values: [(&'static str, Variant<'static>); N],
    ) {
        let Some(props) = self.objects.get_mut(path).and_then(|object| object.get_mut(interface)) else {
            return;
        };
        let mut changed = Vec::new();
        for (name, value) in values {
            if props.get(name) != Some(&value) {
                props.insert(name, value);
                changed.push(name);
            }
        }
        if changed.is_empty() {
            return;
        }
        debug_check(interface, props);
        let values: HashMap<&str, &Variant<'_>> =
            changed.iter().filter_map(|name| props.get_key_value(name)).map(|(k, v)| (*k, v)).collect();
        let body = (interface, values, Vec::<&str>::new());
        let message = Message::signal(path, PROPERTIES, "PropertiesChanged").build(&body);
        self.broadcast(message);
    }

    pub(crate) fn emit<B>(&mut self, path: &str, interface: &str, member: &str, body: &B)
    where
        B: serde::Serialize + DynamicType,
    {
        let message = Message::signal(path, interface, member).build(body);
        self.broadcast(message);
    }

    /// The modems alone: SIM, bearer, SMS and call objects are not managed.
    pub(crate) fn managed(&self) -> Managed<'_> {
        self.objects
            .iter()
            .filter(|(path, _)| is_modem(path))
            .map(|(path, interfaces)| {
                let interfaces = interfaces
                    .iter()
                    .map(|(name, props)| (*name, props.iter().map(|(key, value)| (*key, value)).collect()))
                    .collect();
                (object(path), interfaces)
            })
            .collect()
    }

    fn broadcast(&mut self, message: zbus::Result<Message>) {
        match message {
            Ok(message) => {
                self.clients.retain(|_, sender| sender.try_send(message.clone()).is_ok());
            }
            Err(error) => tracing::error!(%error, "signal not built"),
        }
    }
}

/// Body of GetManagedObjects.
pub(crate) type Managed<'a> =
    HashMap<ObjectPath<'a>, HashMap<&'a str, HashMap<&'a str, &'a Variant<'static>>>>;

/// A path as a D-Bus value.
pub(crate) fn object(path: &str) -> ObjectPath<'static> {
    ObjectPath::try_from(path.to_owned()).unwrap_or_else(|_| ObjectPath::from_static_str_unchecked("/"))
}

fn is_modem(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with("/Modem/"))
}

/// Whether every property has the signature that ModemManager gives it; checked in debug builds.
fn debug_check(name: &str, props: &Props) {
    debug_assert!(name.starts_with(MM) && MODEM.starts_with(MM));
    if cfg!(debug_assertions)
        && let Some(interface) = interface(name)
    {
        for (property, signature) in &interface.properties {
            let found = props.get(property).map(|value| value.value_signature().to_string());
            debug_assert_eq!(found.as_deref(), Some(*signature), "{name}.{property}");
        }
        debug_assert_eq!(interface.properties.len(), props.len(), "{name}");
    }
}
