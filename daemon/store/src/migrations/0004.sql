-- Decisions about plugins.
CREATE TABLE plugin_decision (
    -- Who switched a plugin on or off, or approved what it may ask for. Append-only.
    id       INTEGER NOT NULL PRIMARY KEY,
    plugin   TEXT NOT NULL,    -- its name
    at_ms    INTEGER NOT NULL, -- ms since 1970 UTC
    author   TEXT NOT NULL,    -- such as uid 1000, or configuration
    choice   TEXT NOT NULL,    -- enable, disable or approve
    approved TEXT              -- every permission that is approved from then on, JSON; NULL where that stays as it is
) STRICT;
