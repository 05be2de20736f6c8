//! `send_sms`, `send_ussd` and `disconnect`: what a rule asks the service to do. It is done only where that is allowed,
//! after it is in the ledger, and once for as long as the rule goes on asking for it under the same key.

use rhai::{Dynamic, NativeCallContext};
use simbell_core::action::{Action, ActionRequest};

use super::Run;
use super::remind::key_of;
use crate::limits::limit;
use crate::registry::Registry;
use crate::text::{harmless, short};
use crate::value::{Fallible, fail, kind};

/// Longest text of a short message: more parts than that are a mistake that costs money.
const LONGEST_SMS: usize = 320;
const LONGEST_NUMBER: usize = 16;
const LONGEST_USSD: usize = 32;

/// Registers the functions.
pub(super) fn register(registry: &mut Registry<'_>) {
    registry
        .function(
            "send_sms(key: string, to: string, text: string)",
            "send_sms(\"key\", \"+491710000000\", \"text\")",
            "Asks for a short message to be sent, once for the key.",
            |context: NativeCallContext, key: Dynamic, to: Dynamic, text: Dynamic| {
                let action = Action::SendSms { to: number(&to)?, text: message(&text)? };
                ask(&Run::of(&context)?, &key, "send_sms", action)
            },
        )
        .function(
            "send_ussd(key: string, code: string)",
            "send_ussd(\"key\", \"*100#\")",
            "Asks for a USSD code to be sent, once for the key.",
            |context: NativeCallContext, key: Dynamic, code: Dynamic| {
                ask(&Run::of(&context)?, &key, "send_ussd", Action::SendUssd { code: ussd(&code)? })
            },
        )
        .function(
            "disconnect(key: string)",
            "disconnect(\"key\")",
            "Asks for the SIM's connection to be ended, once for the key.",
            |context: NativeCallContext, key: Dynamic| {
                ask(&Run::of(&context)?, &key, "disconnect", Action::Disconnect)
            },
        );
}

fn ask(run: &Run, key: &Dynamic, function: &str, action: Action) -> Fallible<()> {
    let key = key_of(function, key)?;
    if run.0.input.sim.is_none() {
        return fail(format!(
            "`{function}` needs a SIM: call it in a hook that is given one, such as on_usage(sim)"
        ));
    }
    let mut said = run.said();
    if let Some(earlier) = said.actions.iter_mut().find(|earlier| earlier.key == key) {
        earlier.action = action;
        return Ok(());
    }
    let most = run.0.limits.actions;
    if said.actions.len() >= most {
        return fail(format!("one run may ask for {most} actions at most: {}", limit("actions")));
    }
    said.actions.push(ActionRequest { key, action });
    Ok(())
}

fn number(to: &Dynamic) -> Fallible<String> {
    let Ok(to) = to.as_immutable_string_ref() else {
        return fail(format!(
            "a number is a string such as \"+491710000000\" or \"80100\", not {}",
            kind(to)
        ));
    };
    let digits = to.strip_prefix('+').unwrap_or(&to);
    let fits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && to.len() <= LONGEST_NUMBER;
    if !fits {
        return fail(format!("`{}` is no number: digits, with + before an international one", short(&to)));
    }
    Ok(to.to_string())
}

fn message(text: &Dynamic) -> Fallible<String> {
    let Ok(text) = text.as_immutable_string_ref() else {
        return fail(format!("the text of `send_sms` is a string, not {}", kind(text)));
    };
    if text.trim().is_empty() || text.chars().count() > LONGEST_SMS {
        return fail(format!("the text of `send_sms` has 1 to {LONGEST_SMS} characters"));
    }
    Ok(harmless(text.trim(), LONGEST_SMS))
}

fn ussd(code: &Dynamic) -> Fallible<String> {
    let Ok(code) = code.as_immutable_string_ref() else {
        return fail(format!("a USSD code is a string such as \"*100#\", not {}", kind(code)));
    };
    let fits = |b: u8| b.is_ascii_digit() || matches!(b, b'*' | b'#' | b'+');
    if code.is_empty() || code.len() > LONGEST_USSD || !code.bytes().all(fits) {
        return fail(format!("`{}` is no USSD code: digits, * and #, such as *100#", short(&code)));
    }
    Ok(code.to_string())
}
