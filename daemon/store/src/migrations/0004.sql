-- Decisions about plugins, and months of calls and messages counted.
CREATE TABLE plugin_decision (
    -- Who switched a plugin on or off, or approved what it may ask for. Append-only.
    id       INTEGER NOT NULL PRIMARY KEY,
    plugin   TEXT NOT NULL,    -- its name
    at_ms    INTEGER NOT NULL, -- ms since 1970 UTC
    author   TEXT NOT NULL,    -- such as uid 1000, or configuration
    choice   TEXT NOT NULL,    -- enable, disable or approve
    approved TEXT              -- every permission that is approved from then on, JSON; NULL where that stays as it is
) STRICT;

-- Ledgers of version 3 are about with this table and without it.
CREATE TABLE IF NOT EXISTS voice_month (
    -- A SIM's calls and messages of a UTC month that is over, counted: derived from call and sms, never a source of its
    -- own, and dropped when one of the month changes. Numbers of 7 bits a byte, as store/src/voice_months.rs says.
    iccid    TEXT NOT NULL,
    month_ms INTEGER NOT NULL, -- start of the UTC month, ms since 1970 UTC
    until_ms INTEGER NOT NULL, -- start of the next
    counts   BLOB NOT NULL,
    PRIMARY KEY (iccid, month_ms)
) STRICT, WITHOUT ROWID;
