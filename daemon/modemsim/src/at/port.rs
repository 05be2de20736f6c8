//! One AT port: lines in, replies out, and the unsolicited result codes between them.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::command::{Pending, Reply};
use super::shared::Shared;

const CTRL_Z: u8 = 0x1a;
const ESC: u8 = 0x1b;
/// No command or PDU of ModemManager comes near it; what is longer is dropped.
const LONGEST_LINE: usize = 4096;

/// Serves a stream until the host closes it.
pub(super) async fn serve<S>(shared: Arc<Shared>, index: u8, stream: S, mut urcs: mpsc::Receiver<String>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut port =
        Port { shared: Arc::clone(&shared), index, echo: true, line: Vec::new(), mode: Mode::Command };
    let (mut read, mut write) = tokio::io::split(stream);
    let mut buffer = [0u8; 1024];
    loop {
        let out = tokio::select! {
            got = read.read(&mut buffer) => match got {
                Ok(0) | Err(_) => break,
                Ok(count) => port.take(buffer.get(..count).unwrap_or_default()),
            },
            urc = urcs.recv() => match urc {
                Some(line) => format!("\r\n{line}\r\n").into_bytes(),
                None => break,
            },
        };
        if !out.is_empty() && write.write_all(&out).await.is_err() {
            break;
        }
        // The reply to a command comes before what the command set off.
        shared.flush();
    }
    port.leave_data();
}

#[derive(Debug)]
enum Mode {
    Command,
    Text(Pending),
    Data,
}

struct Port {
    shared: Arc<Shared>,
    index: u8,
    echo: bool,
    line: Vec<u8>,
    mode: Mode,
}

impl Port {
    /// Takes what the host wrote and returns what to write back.
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.shared.lock().hung {
            return Vec::new();
        }
        if let Mode::Data = self.mode {
            // A terminal does not show that the host closed and reopened it; a command after a pause does.
            if !bytes.get(..2).is_some_and(|at| at.eq_ignore_ascii_case(b"AT")) {
                return Vec::new();
            }
            self.leave_data();
        }
        let mut out = Vec::new();
        for byte in bytes {
            self.byte(*byte, &mut out);
        }
        out
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match (&self.mode, byte) {
            (Mode::Command, b'\r') => {
                let line = std::mem::take(&mut self.line);
                if self.echo {
                    out.extend_from_slice(&line);
                    out.push(b'\r');
                }
                self.command(String::from_utf8_lossy(&line).trim(), out);
            }
            (Mode::Text(pending), CTRL_Z) => {
                let pending = pending.clone();
                self.mode = Mode::Command;
                let text = std::mem::take(&mut self.line);
                let reply =
                    self.shared.change(|state| state.after_prompt(&pending, &String::from_utf8_lossy(&text)));
                self.write(reply, out);
            }
            (Mode::Text(_), ESC) => {
                self.mode = Mode::Command;
                self.line.clear();
                self.write(Reply::ok(), out);
            }
            (_, b'\n') => {}
            _ if self.line.len() < LONGEST_LINE => self.line.push(byte),
            _ => {}
        }
    }

    fn command(&mut self, line: &str, out: &mut Vec<u8>) {
        if line.is_empty() {
            return;
        }
        match line.to_ascii_uppercase().as_str() {
            "ATE0" | "ATZ" => self.echo = false,
            "ATE1" => self.echo = true,
            _ => {}
        }
        let reply = self.shared.change(|state| state.answer(line));
        self.write(reply, out);
    }

    fn write(&mut self, reply: Reply, out: &mut Vec<u8>) {
        let verbose = self.shared.lock().verbose_errors();
        let last = match reply {
            Reply::Ok(lines) => {
                for (i, line) in lines.iter().enumerate() {
                    // A PDU follows its header at once; other lines stand alone.
                    let text = if i == 0 { format!("\r\n{line}\r\n") } else { format!("{line}\r\n") };
                    out.extend_from_slice(text.as_bytes());
                }
                "OK".to_owned()
            }
            Reply::Prompt(pending) => {
                self.mode = Mode::Text(pending);
                out.extend_from_slice(b"\r\n> ");
                return;
            }
            Reply::Connect => {
                self.mode = Mode::Data;
                self.shared.carries_data(self.index, true);
                "CONNECT".to_owned()
            }
            Reply::Cme(code) if verbose => format!("+CME ERROR: {code}"),
            Reply::Cms(code) => format!("+CMS ERROR: {code}"),
            Reply::Error | Reply::Cme(_) => "ERROR".to_owned(),
            Reply::Final(code) => code.to_owned(),
        };
        out.extend_from_slice(format!("\r\n{last}\r\n").as_bytes());
    }

    fn leave_data(&mut self) {
        if let Mode::Data = self.mode {
            self.mode = Mode::Command;
            self.line.clear();
            self.shared.carries_data(self.index, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::DuplexStream;

    use super::*;
    use crate::at::{IncomingSms, Modem, Operator, Profile};

    /// A modem and the host's end of its first port.
    fn plugged(profile: Profile) -> (Modem, DuplexStream) {
        let modem = Modem::start(profile).unwrap();
        let (host, port) = tokio::io::duplex(1 << 16);
        modem.attach(0, port);
        (modem, host)
    }

    /// Writes a command and reads until the answer's end.
    async fn ask(host: &mut DuplexStream, command: &str, end: &str) -> String {
        host.write_all(command.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).ends_with(end) {
            answer.push(host.read_u8().await.unwrap());
        }
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn commands_are_echoed_until_told_not_to() {
        let (_modem, mut host) = plugged(Profile::lte());
        assert_eq!(ask(&mut host, "AT\r", "OK\r\n").await, "AT\r\r\nOK\r\n");
        ask(&mut host, "ATE0\r", "OK\r\n").await;
        assert_eq!(ask(&mut host, "AT+CIMI\r", "OK\r\n").await, "\r\n460001234567890\r\n\r\nOK\r\n");
    }

    #[tokio::test]
    async fn the_host_is_told_only_what_it_asked_for() {
        let (modem, mut host) = plugged(Profile::lte());
        ask(&mut host, "ATE0\r", "OK\r\n").await;
        modem.roam(&Operator::T_MOBILE_US);
        modem.receive_sms_hastily(&IncomingSms::new("10086", "unheard")).unwrap();
        // Whatever had been told would stand before this answer.
        assert_eq!(ask(&mut host, "AT+CREG=1\r", "OK\r\n").await, "\r\nOK\r\n");
        modem.register_home();
        assert_eq!(ask(&mut host, "", "+CREG: 1\r\n").await, "\r\n+CREG: 1\r\n");
    }

    #[tokio::test]
    async fn errors_carry_their_code_once_asked() {
        let (_modem, mut host) = plugged(Profile::lte().with_sim(None));
        ask(&mut host, "ATE0\r", "OK\r\n").await;
        assert_eq!(ask(&mut host, "AT+CPIN?\r", "ERROR\r\n").await, "\r\nERROR\r\n");
        ask(&mut host, "AT+CMEE=1\r", "OK\r\n").await;
        assert_eq!(ask(&mut host, "AT+CPIN?\r", "10\r\n").await, "\r\n+CME ERROR: 10\r\n");
    }

    #[tokio::test]
    async fn garbage_and_endless_lines_are_survived() {
        let (_modem, mut host) = plugged(Profile::lte());
        ask(&mut host, "ATE0\r", "OK\r\n").await;
        assert_eq!(ask(&mut host, "\u{0}\u{ff}{\r", "ERROR\r\n").await, "\r\nERROR\r\n");
        assert_eq!(ask(&mut host, &format!("{}\r", "A".repeat(50_000)), "ERROR\r\n").await, "\r\nERROR\r\n");
        assert_eq!(ask(&mut host, "ATD\r", "CARRIER\r\n").await, "\r\nNO CARRIER\r\n");
        assert_eq!(ask(&mut host, "AT\r", "OK\r\n").await, "\r\nOK\r\n");
    }

    #[tokio::test]
    async fn a_pdu_follows_the_prompt_and_is_decoded() {
        let (modem, mut host) = plugged(Profile::lte());
        ask(&mut host, "ATE0\r", "OK\r\n").await;
        ask(&mut host, "AT+CMGS=23\r", "> ").await;
        let answer = ask(&mut host, "0011000B916407281553F80000AA0AE8329BFD4697D9EC37\u{1a}", "OK\r\n").await;
        assert_eq!(answer, "\r\n+CMGS: 1\r\n\r\nOK\r\n");
        assert_eq!(modem.sent_sms()[0].text, "hellohello");
        ask(&mut host, "AT+CMGS=23\r", "> ").await;
        assert_eq!(ask(&mut host, "nonsense\u{1a}", "304\r\n").await, "\r\n+CMS ERROR: 304\r\n");
    }
}
