-- Calls and messages of months are counted by way, kind of number and zone; those counted otherwise are made anew.
DROP TABLE voice_month;
CREATE TABLE voice_month (
    -- A SIM's calls and messages of a UTC month that is over, counted: derived from call and sms, never a source of its
    -- own, and dropped when one of the month changes. Numbers of 7 bits a byte, as store/src/voice_months.rs says.
    iccid    TEXT NOT NULL,
    month_ms INTEGER NOT NULL, -- start of the UTC month, ms since 1970 UTC
    until_ms INTEGER NOT NULL, -- start of the next
    calls    BLOB NOT NULL,
    messages BLOB NOT NULL,
    PRIMARY KEY (iccid, month_ms)
) STRICT, WITHOUT ROWID;
