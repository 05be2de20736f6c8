//! Answers that keep coming.

use simbell_api::{BugReportChunk, ControlError, MonitorEvent};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::backend::{Answer, ControlBackend, Following};
use super::connection::{End, Line};
use super::wire;

/// A part of a report holds at most so many bytes of text.
const PART: usize = 8 * 1024;

/// Sends the full state, then changes, until the client goes or falls behind.
pub(super) async fn follow<B: ControlBackend>(
    line: &mut Line,
    backend: &B,
    mut following: Following,
) -> Result<(), End> {
    for event in &following.state {
        line.send(wire::success(event, Some(true))).await?;
    }
    line.send(wire::success(&MonitorEvent::ready(backend.now()), Some(true))).await?;
    loop {
        let silent_until = Instant::now() + line.limits.heartbeat;
        let event = tokio::select! {
            event = following.changes.recv() => event,
            () = sleep_until(silent_until) => {
                line.send(wire::success(&MonitorEvent::heartbeat(backend.now()), Some(true))).await?;
                continue;
            }
            end = line.disturbed() => return Err(end),
        };
        match event {
            Ok(event) => line.send(wire::success(&*event, Some(true))).await?,
            Err(RecvError::Lagged(missed)) => return Err(End::Told(too_slow(missed))),
            Err(RecvError::Closed) => {
                return Err(End::Told(ControlError::Busy {
                    message: "the service is stopping".to_owned(),
                    hint: "connect anew in a moment; the full state comes first".to_owned(),
                }));
            }
        }
    }
}

/// Sends a text in parts; the last says that it is.
pub(super) async fn report(line: &mut Line, mut text: mpsc::Receiver<String>) -> Result<(), End> {
    let mut held = String::new();
    while let Some(more) = text.recv().await {
        held.push_str(&more);
        while held.len() > PART {
            let rest = held.split_off(boundary(&held));
            let part = BugReportChunk { text: std::mem::replace(&mut held, rest) };
            line.send(wire::success(&part, Some(true))).await?;
        }
    }
    line.send(wire::success(&BugReportChunk { text: held }, Some(false))).await
}

/// Sends an export, part by part. A reader that does not read is dropped, as anywhere.
pub(super) async fn export(line: &mut Line, mut parts: mpsc::Receiver<Answer<Vec<u8>>>) -> Result<(), End> {
    while let Some(part) = parts.recv().await {
        match part {
            Ok(message) => line.send(message).await?,
            Err(error) => return Err(End::Told(error)),
        }
    }
    Ok(())
}

/// The last place at or before [`PART`] where a character begins.
fn boundary(text: &str) -> usize {
    (0..=PART).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

fn too_slow(missed: u64) -> ControlError {
    ControlError::TooSlow {
        message: format!("{missed} events were missed by reading too slowly"),
        hint: "connect anew, the full state comes first; read faster, or poll the status instead".to_owned(),
    }
}
