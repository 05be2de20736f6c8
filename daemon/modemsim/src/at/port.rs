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
