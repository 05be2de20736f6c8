//! What each method of ModemManager does.

use std::collections::HashMap;

use zbus::message::Body;
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use super::answer::{Answer, unknown_object};
use super::device::state;
use super::fault::Fault;
use super::interfaces::{
    BEARER, CALL, FIRMWARE, GPP, LOCATION, MESSAGING, MM, MODEM, PROFILES, SIGNAL, SIM, SIMPLE, SMS, TIME,
    USSD, VOICE,
};
use super::shape::{Dict, dict, text};
use super::spec::BearerSpec;
use super::wall;
use super::world::World;

type Arguments = HashMap<String, OwnedVariant>;

impl World {
    pub(super) fn perform(
        &mut self,
        path: &str,
        interface: &str,
        member: &str,
        body: &Body,
    ) -> Result<Answer, Fault> {
        if interface == MM {
            // ScanDevices, SetLogging, ReportKernelEvent: nothing to do. InhibitDevice gives a modem away.
            if member == "InhibitDevice" {
                let (device, inhibit): (String, bool) = read(body)?;
                self.inhibit(&device, inhibit)?;
            }
            return Ok(Answer::Nothing);
        }
        let index = self.owner_of(path).ok_or_else(|| unknown_object(path))?;
        match interface {
            MODEM => self.modem_method(index, member, body),
            SIMPLE => self.simple_method(index, member, body),
            MESSAGING => self.messaging_method(index, member, body),
            VOICE => self.voice_method(index, member, body),
            USSD => match member {
                "Cancel" => {
                    self.tree.set(path, USSD, [("State", 1_u32.into())]);
                    Ok(Answer::Nothing)
                }
                _ => Ok(Answer::Text(self.ussd_asked(index, &read::<String>(body)?)?)),
            },
            BEARER => {
                let number = self.bearer_number(index, path)?;
                if member == "Connect" {
                    self.connect_bearer(index, number)?;
                } else {
                    self.disconnect(index, number, None);
                }
                Ok(Answer::Nothing)
            }
            SMS => match member {
                "Send" => self.send_sms(index, path).map(|()| Answer::Nothing),
                _ => {
                    // MM_SMS_STATE_STORED.
                    let storage: u32 = read(body)?;
                    self.tree.set(path, SMS, [("State", 1_u32.into()), ("Storage", storage.into())]);
                    Ok(Answer::Nothing)
                }
            },
            CALL => self.call_method(path, member),
            SIM => match member {
                "SendPin" => self.enter_pin(index, &read::<String>(body)?).map(|()| Answer::Nothing),
                "SendPuk" => {
                    let (_, pin): (String, String) = read(body)?;
                    self.device(index)?.spec.pin = pin;
                    self.unlock(index).map(|()| Answer::Nothing)
                }
                "ChangePin" => {
                    let (old, new): (String, String) = read(body)?;
                    let device = self.device(index)?;
                    if device.spec.pin != old {
                        return Err(Fault::new("MobileEquipment.IncorrectPassword", "Incorrect password"));
                    }
                    device.spec.pin = new;
                    Ok(Answer::Nothing)
                }
                _ => Ok(Answer::Nothing),
            },
            GPP => match member {
                "Scan" => Ok(Answer::Dicts(vec![self.own_network(index)?])),
                "Register" => {
                    self.register(index);
                    Ok(Answer::Nothing)
                }
                _ => unsupported(member),
            },
            SIGNAL => match member {
                "Setup" => {
                    let rate: u32 = read(body)?;
                    let lte = dict([("rsrp", (-91.0_f64).into()), ("rsrq", (-10.0_f64).into())]);
                    self.tree.set(path, SIGNAL, [("Rate", rate.into()), ("Lte", lte.into())]);
                    Ok(Answer::Nothing)
                }
                _ => unsupported(member),
            },
            LOCATION => match member {
                "Setup" => {
                    let (sources, signals): (u32, bool) = read(body)?;
                    self.tree.set(
                        path,
                        LOCATION,
                        [("Enabled", sources.into()), ("SignalsLocation", signals.into())],
                    );
                    Ok(Answer::Nothing)
                }
                "GetLocation" => Ok(Answer::Location(HashMap::from([(1, text("001,01,0,1,0"))]))),
                _ => unsupported(member),
            },
            TIME => Ok(Answer::Text(wall::iso())),
            FIRMWARE if member == "List" => Ok(Answer::Firmware),
            PROFILES if member == "List" => Ok(Answer::Dicts(Vec::new())),
            _ => unsupported(member),
        }
    }

    fn modem_method(&mut self, index: usize, member: &str, body: &Body) -> Result<Answer, Fault> {
        match member {
            "Enable" => {
                if read::<bool>(body)? {
                    self.enable(index)?
                } else {
                    self.disable(index)?
                }
                Ok(Answer::Nothing)
            }
            "ListBearers" => {
                Ok(Answer::Paths(self.shown(index)?.bearers.iter().map(|b| b.path.clone()).collect()))
            }
            "CreateBearer" => {
                let spec = requested(&read::<Arguments>(body)?);
                let number = self.create_bearer(index, spec)?;
                self.bearer_path(index, number)
            }
            "DeleteBearer" => {
                let bearer: OwnedObjectPath = read(body)?;
                let number = self.bearer_number(index, bearer.as_str())?;
                self.delete_bearer(index, number)?;
                Ok(Answer::Nothing)
            }
            "SetPrimarySimSlot" => {
                let slot: u32 = read(body)?;
                let slot = usize::try_from(slot).unwrap_or_default();
                let device = self.device(index)?;
                if slot == 0 || slot > device.slots.len() {
                    return Err(Fault::core("NotFound", "no such SIM slot"));
                }
                device.primary = slot - 1;
                self.vanish(index);
                self.appear(index);
                Ok(Answer::Nothing)
            }
            "SetPowerState" | "SetCurrentModes" | "SetCurrentBands" | "Reset" => Ok(Answer::Nothing),
            "Command" => Err(Fault::core(
                "Unauthorized",
                "Cannot send AT command to modem: operation only allowed in debug mode",
            )),
            _ => unsupported(member),
        }
    }

    fn simple_method(&mut self, index: usize, member: &str, body: &Body) -> Result<Answer, Fault> {
        match member {
            "Connect" => {
                let spec = requested(&read::<Arguments>(body)?);
                let number = self.connect(index, spec)?;
                self.bearer_path(index, number)
            }
            "Disconnect" => {
                let bearer: OwnedObjectPath = read(body)?;
                if bearer.as_str() == "/" {
                    for number in 0..self.shown(index)?.bearers.len() {
                        self.disconnect(index, number, None);
                    }
                } else {
                    let number = self.bearer_number(index, bearer.as_str())?;
                    self.disconnect(index, number, None);
                }
                Ok(Answer::Nothing)
            }
            _ => {
                let shown = self.shown(index)?;
                let state = u32::try_from(shown.state).unwrap_or_default();
                let path = shown.path.clone();
                let mut status = dict([("state", state.into())]);
                if shown.state >= state::REGISTERED {
                    let wanted = [
                        (MODEM, "SignalQuality", "signal-quality"),
                        (MODEM, "CurrentBands", "current-bands"),
                        (MODEM, "AccessTechnologies", "access-technologies"),
                        (GPP, "RegistrationState", "m3gpp-registration-state"),
                        (GPP, "OperatorCode", "m3gpp-operator-code"),
                        (GPP, "OperatorName", "m3gpp-operator-name"),
                    ];
                    for (interface, property, key) in wanted {
                        let value = self.tree.property(&path, interface, property);
                        if let Some(value) = value.and_then(|value| value.try_clone().ok()) {
                            status.insert(key.to_owned(), value);
                        }
                    }
                }
                Ok(Answer::Dict(status))
            }
        }
    }

    fn messaging_method(&mut self, index: usize, member: &str, body: &Body) -> Result<Answer, Fault> {
        match member {
            "List" => Ok(Answer::Paths(self.message_paths(index))),
            "Delete" => {
                let sms: OwnedObjectPath = read(body)?;
                self.delete_sms(index, sms.as_str()).map(|()| Answer::Nothing)
            }
            _ => {
                let properties: Arguments = read(body)?;
                match (string(&properties, "number"), string(&properties, "text")) {
                    (Some(number), Some(content)) => {
                        Ok(Answer::Path(self.create_sms(index, &number, &content)?))
                    }
                    _ => Err(Fault::core(
                        "InvalidArgs",
                        "Cannot create SMS: mandatory parameter 'number' or 'text' is missing",
                    )),
                }
            }
        }
    }

    fn voice_method(&mut self, index: usize, member: &str, body: &Body) -> Result<Answer, Fault> {
        match member {
            "ListCalls" => Ok(Answer::Paths(self.shown(index)?.calls.clone())),
            "CreateCall" => match string(&read::<Arguments>(body)?, "number") {
                Some(number) => Ok(Answer::Path(self.new_call(index, &number, false)?)),
                None => Err(Fault::core(
                    "InvalidArgs",
                    "Cannot create call: mandatory parameter 'number' is missing",
                )),
            },
            "DeleteCall" => {
                let call: OwnedObjectPath = read(body)?;
                self.delete_call(index, call.as_str()).map(|()| Answer::Nothing)
            }
            "HangupAll" => {
                for call in self.shown(index)?.calls.clone() {
                    self.set_call(&call, 7, 4);
                }
                Ok(Answer::Nothing)
            }
            "CallWaitingQuery" => Ok(Answer::Flag(false)),
            "CallWaitingSetup" => Ok(Answer::Nothing),
            _ => unsupported(member),
        }
    }

    /// States and reasons as observed: `MMCallState`, `MMCallStateReason`.
    fn call_method(&mut self, call: &str, member: &str) -> Result<Answer, Fault> {
        let current = match self.tree.property(call, CALL, "State") {
            Some(Variant::I32(current)) => *current,
            _ => return Err(unknown_object(call)),
        };
        match (member, current) {
            ("Start", 0) => {
                self.set_call(call, 1, 1);
                self.set_call(call, 2, 0);
            }
            ("Accept", 3) => self.set_call(call, 4, 3),
            ("Hangup", 1..=6) => self.set_call(call, 7, 4),
            ("SendDtmf", 4) => {}
            _ => return Err(Fault::core("WrongState", "the call is not in a state for this")),
        }
        Ok(Answer::Nothing)
    }

    fn inhibit(&mut self, device: &str, inhibit: bool) -> Result<(), Fault> {
        let index = self.devices.iter().position(|known| known.spec.device == device);
        let index = index.ok_or_else(|| Fault::core("NotFound", "No device found with the given uid"))?;
        self.device(index)?.plugged = !inhibit;
        if inhibit {
            self.vanish(index)
        } else {
            self.appear(index)
        }
        Ok(())
    }

    fn own_network(&mut self, index: usize) -> Result<Dict, Fault> {
        let device = self.device(index)?;
        let sim = device.sim().cloned().unwrap_or_default();
        // MM_MODEM_3GPP_NETWORK_AVAILABILITY_CURRENT.
        Ok(dict([
            ("status", 2_u32.into()),
            ("operator-code", text(&sim.operator_code)),
            ("operator-long", text(&sim.operator_name)),
            ("operator-short", text(&sim.operator_name)),
            ("access-technology", device.spec.technology.bit().into()),
        ]))
    }

    fn bearer_number(&mut self, index: usize, path: &str) -> Result<usize, Fault> {
        let number = self.shown(index)?.bearers.iter().position(|bearer| bearer.path == path);
        number.ok_or_else(|| Fault::core("NotFound", "no such bearer"))
    }

    fn bearer_path(&mut self, index: usize, number: usize) -> Result<Answer, Fault> {
        let path = self.shown(index)?.bearers.get(number).map(|bearer| bearer.path.clone());
        path.map(Answer::Path).ok_or_else(|| Fault::core("NotFound", "no such bearer"))
    }
}

fn requested(properties: &Arguments) -> BearerSpec {
    BearerSpec { apn: string(properties, "apn").unwrap_or_default(), stats: true, ..BearerSpec::default() }
}

fn string(properties: &Arguments, key: &str) -> Option<String> {
    String::try_from(properties.get(key)?.try_clone().ok()?).ok()
}

fn read<'a, T: zbus::wire::DynamicDeserialize<'a>>(body: &'a Body) -> Result<T, Fault> {
    body.deserialize().map_err(|error| Fault::dbus("InvalidArgs", &error.to_string()))
}

fn unsupported(member: &str) -> Result<Answer, Fault> {
    Err(Fault::core("Unsupported", &format!("{member} is not supported")))
}
