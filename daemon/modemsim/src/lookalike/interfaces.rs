//! The interfaces served, as a table: the same text gives introspection, argument checks and property checks.

use std::fmt::Write as _;
use std::sync::OnceLock;

/// Well-known name, root interface, and prefix of all other interfaces.
pub const MM: &str = "org.freedesktop.ModemManager1";
/// Object path of the daemon.
pub const ROOT: &str = "/org/freedesktop/ModemManager1";

pub(crate) const MODEM: &str = "org.freedesktop.ModemManager1.Modem";
pub(crate) const SIMPLE: &str = "org.freedesktop.ModemManager1.Modem.Simple";
pub(crate) const GPP: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp";
pub(crate) const PROFILES: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp.ProfileManager";
pub(crate) const USSD: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd";
pub(crate) const MESSAGING: &str = "org.freedesktop.ModemManager1.Modem.Messaging";
pub(crate) const VOICE: &str = "org.freedesktop.ModemManager1.Modem.Voice";
pub(crate) const SIGNAL: &str = "org.freedesktop.ModemManager1.Modem.Signal";
pub(crate) const LOCATION: &str = "org.freedesktop.ModemManager1.Modem.Location";
pub(crate) const TIME: &str = "org.freedesktop.ModemManager1.Modem.Time";
pub(crate) const FIRMWARE: &str = "org.freedesktop.ModemManager1.Modem.Firmware";
pub(crate) const SIM: &str = "org.freedesktop.ModemManager1.Sim";
pub(crate) const BEARER: &str = "org.freedesktop.ModemManager1.Bearer";
pub(crate) const SMS: &str = "org.freedesktop.ModemManager1.Sms";
pub(crate) const CALL: &str = "org.freedesktop.ModemManager1.Call";
pub(crate) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
pub(crate) const OBJECT_MANAGER: &str = "org.freedesktop.DBus.ObjectManager";

/// One D-Bus interface.
#[derive(Debug, Default)]
pub struct Interface {
    /// Full name.
    pub name: &'static str,
    /// Property names and signatures; all are read-only.
    pub properties: Vec<(&'static str, &'static str)>,
    /// Methods.
    pub methods: Vec<Member>,
    /// Signals; their arguments are outputs.
    pub signals: Vec<Member>,
}

/// One method or signal.
#[derive(Debug, Default)]
pub struct Member {
    /// Member name.
    pub name: &'static str,
    /// Names and signatures of arguments taken.
    pub inputs: Vec<(&'static str, &'static str)>,
    /// Names and signatures of arguments given.
    pub outputs: Vec<(&'static str, &'static str)>,
}

impl Member {
    /// Signature of the whole body taken.
    #[must_use]
    pub fn input_signature(&self) -> String {
        self.inputs.iter().map(|(_, signature)| *signature).collect()
    }
}

/// Every interface that ModemManager itself defines and the look-alike serves.
#[must_use]
pub fn interfaces() -> &'static [Interface] {
    static TABLE: OnceLock<Vec<Interface>> = OnceLock::new();
    TABLE.get_or_init(|| parse(include_str!("interfaces.txt")))
}

/// The interface of that full name.
#[must_use]
pub fn interface(name: &str) -> Option<&'static Interface> {
    interfaces().iter().find(|interface| interface.name == name)
}

/// Introspection data (D-Bus specification, "Introspection Data Format") of an object with these interfaces and
/// child nodes.
#[must_use]
pub fn introspection(names: &[&str], children: &[String]) -> String {
    let mut xml = String::from("<node>\n");
    let standard = [PROPERTIES_XML, INTROSPECTABLE_XML, PEER_XML];
    let manager = names.contains(&MM).then_some(OBJECT_MANAGER_XML);
    standard.into_iter().chain(manager).for_each(|text| xml.push_str(text));
    for interface in names.iter().filter_map(|name| interface(name)) {
        // Writing to a String cannot fail.
        let _ = writeln!(xml, "  <interface name=\"{}\">", interface.name);
        for (kind, members) in [("method", &interface.methods), ("signal", &interface.signals)] {
            for member in members {
                let _ = writeln!(xml, "    <{kind} name=\"{}\">", member.name);
                for (direction, arguments) in [("in", &member.inputs), ("out", &member.outputs)] {
                    for (name, signature) in arguments {
                        let direction = match kind {
                            "method" => format!(" direction=\"{direction}\""),
                            _ => String::new(),
                        };
                        let _ = writeln!(xml, "      <arg type=\"{signature}\" name=\"{name}\"{direction}/>");
                    }
                }
                let _ = writeln!(xml, "    </{kind}>");
            }
        }
        for (name, signature) in &interface.properties {
            let _ = writeln!(xml, "    <property type=\"{signature}\" name=\"{name}\" access=\"read\"/>");
        }
        xml.push_str("  </interface>\n");
    }
    for child in children {
        let _ = writeln!(xml, "  <node name=\"{child}\"/>");
    }
    xml.push_str("</node>\n");
    xml
}

fn parse(text: &'static str) -> Vec<Interface> {
    let mut table: Vec<Interface> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (Some(kind), Some(name)) = (words.next(), words.next()) else { continue };
        if kind == "interface" {
            table.push(Interface { name, ..Interface::default() });
            continue;
        }
        let Some(interface) = table.last_mut() else { continue };
        if kind == "property" {
            interface.properties.push((name, words.next().unwrap_or_default()));
            continue;
        }
        let mut member = Member { name, ..Member::default() };
        for argument in words {
            let mut fields = argument.splitn(3, ':');
            let direction = fields.next().unwrap_or_default();
            let pair = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
            if direction == "in" { member.inputs.push(pair) } else { member.outputs.push(pair) }
        }
        if kind == "method" { interface.methods.push(member) } else { interface.signals.push(member) }
    }
    table
}

const PROPERTIES_XML: &str = r#"  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="s" name="property_name" direction="in"/>
      <arg type="v" name="value" direction="out"/>
    </method>
    <method name="GetAll">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="a{sv}" name="properties" direction="out"/>
    </method>
    <method name="Set">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="s" name="property_name" direction="in"/>
      <arg type="v" name="value" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg type="s" name="interface_name"/>
      <arg type="a{sv}" name="changed_properties"/>
      <arg type="as" name="invalidated_properties"/>
    </signal>
  </interface>
"#;

const INTROSPECTABLE_XML: &str = r#"  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg type="s" name="xml_data" direction="out"/>
    </method>
  </interface>
"#;

const PEER_XML: &str = r#"  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
    <method name="GetMachineId">
      <arg type="s" name="machine_uuid" direction="out"/>
    </method>
  </interface>
"#;

const OBJECT_MANAGER_XML: &str = r#"  <interface name="org.freedesktop.DBus.ObjectManager">
    <method name="GetManagedObjects">
      <arg type="a{oa{sa{sv}}}" name="object_paths_interfaces_and_properties" direction="out"/>
    </method>
    <signal name="InterfacesAdded">
      <arg type="o" name="object_path"/>
      <arg type="a{sa{sv}}" name="interfaces_and_properties"/>
    </signal>
    <signal name="InterfacesRemoved">
      <arg type="o" name="object_path"/>
      <arg type="as" name="interfaces"/>
    </signal>
  </interface>
"#;
