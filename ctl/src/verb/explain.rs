//! `usage explain`: what a total is made of, to the byte.

use simbell_api::{
    Client, ExplainPage, ExplainUsageParams, ExplainedCorrection, ExplainedGap, ExplainedObservation,
    ExplainedRun, ExplainedSession,
};

use super::{Verdict, sims};
use crate::cli::ExplainArgs;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::{amount, exact, exact_signed};
use crate::show::text::{safe, wrap};
use crate::show::time;

pub(super) async fn run(client: &mut Client, out: &mut Out, args: ExplainArgs) -> Result<Verdict, CtlError> {
    let question = ExplainUsageParams {
        sim: args.sim,
        from: args.from,
        to: args.to,
        day: args.day,
        cycle: args.cycle.flatten(),
        after: None,
        limit: None,
    };
    let whole = client.explain(&question).await?;
    if out.json {
        out.json(&whole)?;
    } else {
        out.text(&page(&whole, out.width))?;
    }
    Ok(if whole.adds_up { Verdict::Done } else { Verdict::Failed })
}

fn page(whole: &ExplainPage, columns: usize) -> String {
    let mut text = Text { out: String::new(), columns };
    let name = whole.span.name.clone().unwrap_or_else(|| sims::unnamed(&whole.span.iccid));
    let span = time::span(Some(&whole.span.start), Some(&whole.span.end));
    text.line(
        0,
        &format!("{name}, {span}: {} bytes{}", exact_signed(whole.sum.bytes, ""), rounded(whole.sum.bytes)),
    );
    if whole.span.cycle && whole.sum.bytes < 0 {
        let missing = amount(whole.sum.bytes.unsigned_abs());
        text.line(
            0,
            &format!(
                "Corrections exceed what was counted by {missing}: the cycle's usage shows as 0. Say what was used \
                 with `simbellctl usage set`."
            ),
        );
    }
    if let Some(billed) = whole.span.billed_bytes {
        text.line(0, &format!("As the plan bills it: {} bytes ({})", exact(billed), amount(billed)));
    }
    if !whole.span.uncounted_apns.is_empty() {
        let apns = whole.span.uncounted_apns.join(", ");
        text.line(0, &format!("Not counted, as `uncounted_apns` says: connections to {apns}."));
    }
    text.title("Counted, one entry for each run of a counter without a break:");
    if whole.runs.is_empty() {
        text.line(2, "nothing");
    }
    for run in &whole.runs {
        text.counted(run);
    }
    if !whole.corrections.is_empty() {
        text.title("Corrected by hand:");
    }
    for correction in &whole.corrections {
        text.corrected(correction);
    }
    text.sum(whole);
    if !whole.gaps.is_empty() {
        text.title("Not known, so not counted:");
    }
    for gap in &whole.gaps {
        text.gap(gap);
    }
    if !whole.sessions.is_empty() {
        text.title("Whole connections, the kernel's figures beside ModemManager's:");
    }
    for session in &whole.sessions {
        text.session(session);
    }
    if !whole.observations.is_empty() {
        text.title("What the carrier says of the cycle, beside what the plan bills of it:");
    }
    for observation in &whole.observations {
        text.observation(observation);
    }
    if !whole.undated.is_empty() {
        text.title("Measured before the clock was right; waits for its date, in no sum yet:");
    }
    for run in &whole.undated {
        text.counted(run);
    }
    text.out
}

fn rounded(bytes: i64) -> String {
    match u64::try_from(bytes) {
        Ok(bytes) if bytes >= 1_000 => format!(" ({})", amount(bytes)),
        _ => String::new(),
    }
}

struct Text {
    out: String,
    columns: usize,
}

impl Text {
    /// Wrapped, and made harmless.
    fn line(&mut self, indent: usize, words: &str) {
        for line in wrap(&safe(words), self.columns.saturating_sub(indent)) {
            self.out.push_str(&format!("{}{line}\n", " ".repeat(indent)));
        }
    }

    fn title(&mut self, words: &str) {
        self.out.push('\n');
        self.line(0, words);
    }

    fn counted(&mut self, run: &ExplainedRun) {
        let when = match (&run.from, &run.until) {
            (None, None) => "no date yet".to_owned(),
            (from, until) => {
                let about = if run.about { "about " } else { "" };
                format!("{about}{}", time::span(from.as_deref(), until.as_deref()))
            }
        };
        let mut words = vec![when, zone(&run.zone)];
        words.extend((run.epoch == 0).then(|| "summed up when it was old".to_owned()));
        words.extend((run.epoch < 0).then(|| "imported".to_owned()));
        words.extend(place(run.interface.as_ref(), run.apn.as_ref(), run.modem.as_ref()));
        words.push(by(&run.source));
        self.line(2, &words.join(", "));
        let total = run.rx_bytes.saturating_add(run.tx_bytes);
        self.line(
            4,
            &format!("received {} + sent {} = {}", exact(run.rx_bytes), exact(run.tx_bytes), exact(total)),
        );
    }

    fn corrected(&mut self, correction: &ExplainedCorrection) {
        let fate = match (correction.undoes, correction.undone_by) {
            (_, Some(by)) => format!("; taken back by #{by}"),
            (Some(what), None) => format!("; takes back #{what}"),
            (None, None) => String::new(),
        };
        self.line(
            2,
            &format!(
                "#{} {}: {} by {}{fate}",
                correction.id,
                time::absolute(&correction.at),
                exact_signed(correction.bytes, "+"),
                correction.author
            ),
        );
        self.line(4, &correction.reason);
    }

    fn sum(&mut self, whole: &ExplainPage) {
        let sum = &whole.sum;
        let counted = sum.rx_bytes.saturating_add(sum.tx_bytes);
        let corrected = match sum.correction_bytes {
            0 if whole.corrections.is_empty() => String::new(),
            bytes => {
                let sign = if bytes < 0 { "-" } else { "+" };
                format!(" {sign} {} corrected", exact(bytes.unsigned_abs()))
            }
        };
        self.out.push('\n');
        self.line(
            0,
            &format!(
                "Sum: received {} + sent {}{corrected} = {} bytes",
                exact(sum.rx_bytes),
                exact(sum.tx_bytes),
                exact_signed(sum.bytes, "")
            ),
        );
        if whole.adds_up {
            self.line(0, "The parts add up to the total of `simbellctl usage`, to the byte.");
        } else {
            let total = whole.total.rx_bytes.saturating_add(whole.total.tx_bytes);
            self.line(
                0,
                &format!(
                    "The parts do NOT add up: `simbellctl usage` tells {} counted and {} corrected, the parts \
                     are {} and {}. If it stays so when asked again, please report it, with the output of \
                     `simbellctl bug-report`.",
                    exact(total),
                    exact_signed(whole.total.correction_bytes, ""),
                    exact(counted),
                    exact_signed(sum.correction_bytes, "")
                ),
            );
        }
    }

    fn gap(&mut self, gap: &ExplainedGap) {
        let whose = if gap.iccid.is_none() { ", of a SIM not known" } else { "" };
        let detail = if gap.detail.is_empty() { String::new() } else { format!(", {}", gap.detail) };
        self.line(
            2,
            &format!(
                "{} ({}){whose}{detail}",
                time::span(gap.from.as_deref(), gap.until.as_deref()),
                gap.reason
            ),
        );
        self.line(4, &gap.text);
    }

    fn session(&mut self, session: &ExplainedSession) {
        let ended = session.ended.as_deref().or(if session.over { None } else { Some("now") });
        let mut words = vec![time::span(session.began.as_deref(), ended)];
        words.extend(place(session.interface.as_ref(), session.apn.as_ref(), session.modem.as_ref()));
        self.line(2, &words.join(", "));
        let side = |rx: Option<u64>, tx: Option<u64>| rx.zip(tx).map(|(rx, tx)| rx.saturating_add(tx));
        let kernel = side(session.kernel_rx_bytes, session.kernel_tx_bytes);
        let modem = side(session.modem_rx_bytes, session.modem_tx_bytes);
        let shown = |figure: Option<u64>| figure.map_or_else(|| "tells nothing".to_owned(), exact);
        let beside = match (session.difference_bytes, kernel, modem) {
            (Some(0), ..) => "; the same".to_owned(),
            (Some(more), Some(kernel), Some(modem)) => {
                let (who, what) = if more > 0 { ("the kernel", kernel) } else { ("ModemManager", modem) };
                format!("; {who} counts {} more{}", exact(more.unsigned_abs()), share(more, what))
            }
            _ => String::new(),
        };
        self.line(4, &format!("kernel {}, ModemManager {}{beside}", shown(kernel), shown(modem)));
        self.line(4, &format!("the ledger holds what is counted {}", by(&session.source)));
    }

    fn observation(&mut self, observation: &ExplainedObservation) {
        let fate = match (observation.withdraws, observation.withdrawn) {
            (Some(what), _) => format!("takes back #{what}"),
            (None, true) => "taken back".to_owned(),
            (None, false) => match observation.difference_bytes {
                0 => "the same".to_owned(),
                more => {
                    let word = if more > 0 { "more" } else { "less" };
                    let share = share(more, observation.billed_bytes);
                    format!("the carrier counts {} {word}{share}", exact(more.unsigned_abs()))
                }
            },
        };
        self.line(
            2,
            &format!(
                "#{} {}, by {} ({})",
                observation.id,
                time::absolute(&observation.at),
                observation.source,
                observation.author
            ),
        );
        if observation.withdraws.is_none() {
            self.line(
                4,
                &format!(
                    "carrier {}, billed {}; {fate}",
                    exact(observation.bytes),
                    exact(observation.billed_bytes)
                ),
            );
        } else {
            self.line(4, &fate);
        }
        if !observation.note.is_empty() {
            self.line(4, &observation.note);
        }
    }
}

/// ` (0.04 %)` of a whole; nothing where there is none.
fn share(part: i64, whole: u64) -> String {
    let hundredths = u128::from(part.unsigned_abs()).saturating_mul(10_000).checked_div(u128::from(whole));
    hundredths.map_or_else(String::new, |share| format!(" ({}.{:02} %)", share / 100, share % 100))
}

fn zone(zone: &str) -> String {
    match zone {
        "home" => "home network".to_owned(),
        "unknown" => "network not known".to_owned(),
        "roaming" => "roaming".to_owned(),
        other => other
            .strip_prefix("roaming:")
            .map_or_else(|| other.to_owned(), |network| format!("roaming in network {network}")),
    }
}

fn by(source: &str) -> String {
    match source {
        "kernel" => "by the kernel".to_owned(),
        "modem" => "by ModemManager".to_owned(),
        other => format!("by {other}"),
    }
}

fn place(interface: Option<&String>, apn: Option<&String>, modem: Option<&String>) -> Vec<String> {
    [("", interface), ("APN ", apn), ("modem ", modem)]
        .into_iter()
        .filter_map(|(word, value)| {
            value.filter(|value| !value.is_empty()).map(|value| format!("{word}{value}"))
        })
        .collect()
}
