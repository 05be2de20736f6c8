//! Follows a ModemManager and prints each event as one line of JSON.
//!
//! `cargo run -p simbell-modem --example watch -- ADDRESS`, where ADDRESS is `system`, `session`, a D-Bus
//! address, or `peer:` and the D-Bus address of a ModemManager that listens itself. With `sms MODEM NUMBER TEXT`
//! or `ussd MODEM CODE` after it, does that first once the modem is there.

use simbell_core::event::Event;
use simbell_core::ident::ModemId;
use simbell_modem::{BusAddress, ModemCommands, Watcher};
use tokio::sync::mpsc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(watch())
}

async fn watch() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = match arguments.next().as_deref() {
        None | Some("system") => BusAddress::System,
        Some("session") => BusAddress::Session,
        Some(address) => match address.strip_prefix("peer:") {
            Some(address) => BusAddress::Peer(address.to_owned()),
            None => BusAddress::At(address.to_owned()),
        },
    };
    let mut command: Vec<String> = arguments.collect();
    let (events, mut told) = mpsc::channel(64);
    let (watcher, commands) = Watcher::new(address, events);
    let watching = watcher.run();
    tokio::pin!(watching);
    loop {
        let event = tokio::select! {
            () = &mut watching => return Ok(()),
            event = told.recv() => event,
        };
        let Some(event) = event else {
            return Ok(());
        };
        println!("{}", serde_json::to_string(&event)?);
        if let Event::ModemSeen(modem) = &event
            && command.get(1).is_some_and(|wanted| wanted == modem.id.as_str())
        {
            let (commands, command) = (commands.clone(), std::mem::take(&mut command));
            tokio::spawn(async move { println!("{}", run(&commands, &command).await) });
        }
    }
}

async fn run(commands: &ModemCommands, command: &[String]) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let id = |text: &str| ModemId::new(text).map_err(|error| error.to_string());
    match words[..] {
        ["sms", modem, number, text] => match id(modem) {
            Ok(modem) => format!("{:?}", commands.send_sms(&modem, number, text).await),
            Err(error) => error,
        },
        ["ussd", modem, code] => match id(modem) {
            Ok(modem) => format!("{:?}", commands.ussd(&modem, code).await),
            Err(error) => error,
        },
        _ => "expected: sms MODEM NUMBER TEXT, or ussd MODEM CODE".to_owned(),
    }
}
