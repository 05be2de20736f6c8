//! Short messages: received, stored, shown again, created and sent.

use super::device::{Draft, Stored, state};
use super::fault::Fault;
use super::interfaces::{MESSAGING, SMS};
use super::shape::{self, paths, text};
use super::spec::{Report, SentSms};
use super::tree::object;
use super::wall;
use super::world::World;

/// `MM_SMS_STORAGE_ME`.
const STORAGE_ME: u32 = 2;

impl World {
    /// The first part of a message arrives; `complete` where it is the only one. Its number in the memory.
    pub(crate) fn sms_arrives(
        &mut self,
        index: usize,
        number: &str,
        content: &str,
        timestamp: Option<&str>,
        complete: bool,
    ) -> Result<usize, Fault> {
        let device = self.device(index)?;
        device.stored.push(Stored {
            number: number.to_owned(),
            text: content.to_owned(),
            timestamp: timestamp.map_or_else(wall::iso, str::to_owned),
            complete,
            path: None,
        });
        let at = device.stored.len() - 1;
        self.show_stored(index);
        Ok(at)
    }

    /// The last part of a message arrives.
    pub(crate) fn sms_completes(&mut self, index: usize, at: usize) -> Result<(), Fault> {
        let stored = self.device(index)?.stored.get_mut(at);
        let stored = stored.ok_or_else(|| Fault::core("NotFound", "no such message"))?;
        stored.complete = true;
        let (content, path) = (stored.text.clone(), stored.path.clone());
        if let Some(path) = path {
            self.tree.set(&path, SMS, [("State", 3_u32.into()), ("Text", text(&content))]);
        }
        Ok(())
    }

    /// Shows every stored message that has no object yet, each as just received.
    pub(crate) fn show_stored(&mut self, index: usize) {
        let Self { devices, numbers, tree, .. } = self;
        let Some(device) = devices.get_mut(index) else { return };
        if device.shown.as_ref().is_none_or(|shown| shown.state < state::ENABLED) {
            return;
        }
        let mut added = Vec::new();
        for stored in device.stored.iter_mut().filter(|stored| stored.path.is_none()) {
            let path = numbers.next("SMS");
            // MM_SMS_STATE_RECEIVED, _RECEIVING; MM_SMS_PDU_TYPE_DELIVER.
            let (sms_state, content) = if stored.complete { (3, stored.text.as_str()) } else { (2, "") };
            tree.add(
                &path,
                shape::sms((sms_state, 1, STORAGE_ME), &stored.number, content, &stored.timestamp),
            );
            stored.path = Some(path.clone());
            added.push(path);
        }
        for path in added {
            self.tell_messages(index);
            self.emit_message(index, "Added", &path, Some(true));
        }
    }

    /// Forgets the objects of stored messages, as disabling does; the messages stay in the modem.
    pub(crate) fn hide_stored(&mut self, index: usize) {
        let Self { devices, tree, .. } = self;
        let Some(device) = devices.get_mut(index) else { return };
        let drafts = device.shown.iter_mut().flat_map(|shown| shown.drafts.drain(..).map(|draft| draft.path));
        for path in device.stored.iter_mut().filter_map(|stored| stored.path.take()).chain(drafts) {
            tree.remove(&path);
        }
        self.tell_messages(index);
    }

    /// `Messaging.Create`.
    pub(crate) fn create_sms(&mut self, index: usize, number: &str, content: &str) -> Result<String, Fault> {
        self.shown(index)?;
        let path = self.numbers.next("SMS");
        // MM_SMS_STATE_UNKNOWN, MM_SMS_PDU_TYPE_SUBMIT, MM_SMS_STORAGE_UNKNOWN.
        self.tree.add(&path, shape::sms((0, 2, 0), number, content, ""));
        let draft = Draft { path: path.clone(), number: number.to_owned(), text: content.to_owned() };
        self.shown(index)?.drafts.push(draft);
        self.tell_messages(index);
        self.emit_message(index, "Added", &path, Some(false));
        Ok(path)
    }

    /// `Sms.Send`.
    pub(crate) fn send_sms(&mut self, index: usize, path: &str) -> Result<(), Fault> {
        let modem = self.device(index)?.spec.name.clone();
        let shown = self.shown(index)?;
        if shown.state < state::REGISTERED {
            return Err(Fault::core("WrongState", "not registered"));
        }
        let draft = shown.drafts.iter().find(|draft| draft.path == path).cloned();
        let draft = draft.ok_or_else(|| Fault::core("WrongState", "not a message to be sent"))?;
        let sent =
            SentSms { modem, parts: parts(&draft.text), number: draft.number.clone(), text: draft.text };
        self.sent.push(sent.clone());
        let reference = u32::try_from(self.sent.len() % 256).unwrap_or_default();
        // MM_SMS_STATE_SENT.
        self.tree.set(path, SMS, [("MessageReference", reference.into()), ("State", 5_u32.into())]);
        self.report(Report::SmsSent(sent));
        Ok(())
    }

    /// `Messaging.Delete`.
    pub(crate) fn delete_sms(&mut self, index: usize, path: &str) -> Result<(), Fault> {
        let device = self.device(index)?;
        let before = device.stored.len();
        device.stored.retain(|stored| stored.path.as_deref() != Some(path));
        let mut found = device.stored.len() < before;
        if let Some(shown) = device.shown.as_mut() {
            let before = shown.drafts.len();
            shown.drafts.retain(|draft| draft.path != path);
            found |= shown.drafts.len() < before;
        }
        if !found {
            return Err(Fault::core("NotFound", "no such message"));
        }
        self.tree.remove(path);
        self.tell_messages(index);
        self.emit_message(index, "Deleted", path, None);
        Ok(())
    }

    /// Paths of all messages shown, newest first.
    pub(crate) fn message_paths(&self, index: usize) -> Vec<String> {
        let Some(device) = self.devices.get(index) else { return Vec::new() };
        let drafts =
            device.shown.iter().flat_map(|shown| &shown.drafts).map(|draft| draft.path.clone()).rev();
        let stored = device.stored.iter().filter_map(|stored| stored.path.clone()).rev();
        drafts.chain(stored).collect()
    }

    fn tell_messages(&mut self, index: usize) {
        let list = self.message_paths(index);
        let Ok(shown) = self.shown(index) else { return };
        let path = shown.path.clone();
        self.tree.set(&path, MESSAGING, [("Messages", paths(list.iter().map(String::as_str)))]);
    }

    fn emit_message(&mut self, index: usize, signal: &str, sms: &str, received: Option<bool>) {
        let Ok(shown) = self.shown(index) else { return };
        let path = shown.path.clone();
        match received {
            Some(received) => self.tree.emit(&path, MESSAGING, signal, &(object(sms), received)),
            None => self.tree.emit(&path, MESSAGING, signal, &object(sms)),
        }
    }
}

/// Parts a text takes on the air: 160 characters of the GSM alphabet or 70 UTF-16 units alone, 153 or 67 in a
/// chain (3GPP TS 23.038, 23.040).
fn parts(content: &str) -> usize {
    const EXTENSION: &str = "^{}\\[~]|€\u{c}";
    const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
                            ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    let gsm = content.chars().try_fold(0_usize, |units, character| match character {
        _ if ALPHABET.contains(character) => Some(units + 1),
        _ if EXTENSION.contains(character) => Some(units + 2),
        _ => None,
    });
    let (units, alone, chained) = match gsm {
        Some(units) => (units, 160, 153),
        None => (content.encode_utf16().count(), 70, 67),
    };
    if units <= alone { 1 } else { units.div_ceil(chained) }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn parts_follow_the_alphabet() {
        assert_eq!(parts(""), 1);
        assert_eq!(parts(&"a".repeat(160)), 1);
        assert_eq!(parts(&"a".repeat(161)), 2);
        assert_eq!(parts(&"€".repeat(80)), 1);
        assert_eq!(parts(&"€".repeat(81)), 2);
        assert_eq!(parts(&"流".repeat(70)), 1);
        assert_eq!(parts(&"流".repeat(71)), 2);
        assert_eq!(parts(&"😀".repeat(35)), 1);
        assert_eq!(parts(&"😀".repeat(36)), 2);
    }
}
