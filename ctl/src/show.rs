//! How things look: amounts, times, tables and safe text.

pub(crate) mod amount;
pub(crate) mod export;
pub(crate) mod plot;
pub(crate) mod records;
pub(crate) mod replay;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod time;
