//! `backup`.

use simbell_api::{Backup, Client};

use super::Verdict;
use crate::cli::BackupVerb;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::amount;
use crate::show::table::{Column, Table};
use crate::show::{text, time};

pub(super) async fn run(
    client: &mut Client,
    out: &mut Out,
    verb: Option<BackupVerb>,
) -> Result<Verdict, CtlError> {
    match verb {
        None | Some(BackupVerb::List) => list(client, out).await,
        Some(BackupVerb::Create) => {
            let made = client.create_backup().await?;
            if out.json {
                out.json(&made)?;
            } else {
                out.text(&format!("Copied to {} ({}).\n", text::safe(&made.name), amount(made.bytes)))?;
            }
            Ok(Verdict::Done)
        }
        Some(BackupVerb::Restore { name }) => {
            let done = client.restore_backup(&name).await?;
            if out.json {
                out.json(&done)?;
            } else {
                out.text(&format!(
                    "{} is the ledger now. The one before is {} in the state directory.\n",
                    text::safe(&done.name),
                    text::safe(&done.set_aside)
                ))?;
                if let Some(note) = &done.note {
                    out.text(&format!("{}\n", text::safe(note)))?;
                }
            }
            Ok(Verdict::Done)
        }
    }
}

async fn list(client: &mut Client, out: &mut Out) -> Result<Verdict, CtlError> {
    let mut copies = client.backups().await?;
    let stamp = |copy: &Backup| copy.name.split_once('-').map(|(_, rest)| rest.to_owned());
    copies.sort_by_key(|copy| std::cmp::Reverse(stamp(copy)));
    if out.json {
        for copy in &copies {
            out.json(copy)?;
        }
        return Ok(Verdict::Done);
    }
    if copies.is_empty() {
        out.prose("There is no copy of the ledger yet: `simbellctl backup create` makes one.\n")?;
        return Ok(Verdict::Done);
    }
    let mut table =
        Table::new(vec![("NAME", Column::Whole), ("MADE", Column::Whole), ("SIZE", Column::Number)]);
    for copy in &copies {
        table.row(vec![copy.name.clone(), time::absolute(&copy.made), amount(copy.bytes)]);
    }
    out.text(&table.render(out.width, out.color))?;
    Ok(Verdict::Done)
}
