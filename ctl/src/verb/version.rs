//! `version`.

use std::path::Path;

use simbell_api::{Client, ClientError, VERSION, VersionOutput};

use super::Verdict;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::text;

pub(super) async fn run(socket: &Path, out: &mut Out) -> Result<Verdict, CtlError> {
    let asked: Result<Client, ClientError> = Client::connect(socket).await;
    let version = VersionOutput {
        client: VERSION.to_owned(),
        service: asked.as_ref().ok().map(|client| client.service_version().to_owned()),
        skew: asked.as_ref().ok().and_then(Client::skew),
    };
    if out.json {
        out.json(&version)?;
        return Ok(Verdict::Done);
    }
    let service = match asked {
        Ok(client) => format!("simbelld {}", text::safe(client.service_version())),
        Err(error) => format!("simbelld: {}", text::safe(&error.to_string())),
    };
    out.text(&format!("simbellctl {VERSION}\n{service}\n"))?;
    if let Some(skew) = &version.skew {
        out.note(skew);
    }
    Ok(Verdict::Done)
}
