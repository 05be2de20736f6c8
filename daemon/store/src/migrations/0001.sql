CREATE TABLE sim (
    -- Every SIM or eSIM profile ever seen.
    iccid         TEXT NOT NULL PRIMARY KEY, -- identity, ITU-T E.118, padding removed
    imsi          TEXT,                      -- subscriber, where the SIM told it
    eid           TEXT,                      -- the eUICC it lives on
    operator      TEXT,                      -- home operator's name
    first_seen_ms INTEGER NOT NULL,          -- ms since 1970 UTC
    last_seen_ms  INTEGER NOT NULL           -- ms since 1970 UTC
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch (
    -- One unbroken run of one counter, on behalf of one SIM in one zone.
    id            INTEGER NOT NULL PRIMARY KEY, -- grows, never given out twice
    iccid         TEXT NOT NULL,
    zone          TEXT NOT NULL,                -- home, unknown, roaming or roaming:MCCMNC
    source        TEXT NOT NULL,                -- kernel, modem or user
    boot          TEXT NOT NULL,                -- kernel's boot id
    ifindex       INTEGER,                      -- of a kernel counter
    interface     TEXT,                         -- of a kernel counter
    apn           TEXT,                         -- access point name of the bearer
    began_ms      INTEGER,                      -- ms since 1970 UTC; NULL where the clock was not trusted
    began_boot_ms INTEGER NOT NULL              -- CLOCK_BOOTTIME, ms
) STRICT;

CREATE TABLE baseline (
    -- The last reading of each counter that is already in usage. Changes only together with usage.
    counter             TEXT NOT NULL PRIMARY KEY, -- link:IFINDEX or bearer:MODEM:PATH
    boot                TEXT NOT NULL,             -- boot it was read in
    ifindex             INTEGER,
    interface           TEXT,
    rx_bytes            INTEGER NOT NULL,          -- IP bytes received since the counter began
    tx_bytes            INTEGER NOT NULL,          -- IP bytes sent since the counter began
    connection_start_ms INTEGER,                   -- by ModemManager, ms since 1970 UTC
    iccid               TEXT,                      -- whose bytes; NULL while no bearer used it
    zone                TEXT NOT NULL,             -- home, unknown, roaming or roaming:MCCMNC
    epoch               INTEGER,                   -- epoch.id that growth belongs to
    read_ms             INTEGER,                   -- ms since 1970 UTC; NULL where the clock was not trusted
    read_boot_ms        INTEGER NOT NULL           -- CLOCK_BOOTTIME, ms
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
    -- Bytes by epoch and hour.
    epoch    INTEGER NOT NULL, -- epoch.id
    start_ms INTEGER NOT NULL, -- ms since 1970 UTC
    rx_bytes INTEGER NOT NULL,
    tx_bytes INTEGER NOT NULL,
    first_ms INTEGER NOT NULL, -- first instant covered, ms since 1970 UTC
    last_ms  INTEGER NOT NULL, -- last instant covered, ms since 1970 UTC
    PRIMARY KEY (epoch, start_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_undated (
    -- Bytes measured before the clock was trusted.
    epoch         INTEGER NOT NULL, -- epoch.id
    boot          TEXT NOT NULL,    -- kernel's boot id
    start_boot_ms INTEGER NOT NULL, -- CLOCK_BOOTTIME, ms
    rx_bytes      INTEGER NOT NULL,
    tx_bytes      INTEGER NOT NULL,
    first_boot_ms INTEGER NOT NULL, -- first instant covered, CLOCK_BOOTTIME, ms
    last_boot_ms  INTEGER NOT NULL, -- last instant covered, CLOCK_BOOTTIME, ms
    PRIMARY KEY (epoch, boot, start_boot_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE gap (
    -- What could not be known, said instead of guessed. Append-only.
    id       INTEGER NOT NULL PRIMARY KEY,
    iccid    TEXT,          -- whose bytes are missing; NULL where not known
    from_ms  INTEGER,       -- ms since 1970 UTC; NULL where not known
    until_ms INTEGER,       -- ms since 1970 UTC; NULL where not known
    reason   TEXT NOT NULL, -- interface-vanished, rebooted, counter-reset, sim-changed, events-lost, no-counter
    detail   TEXT NOT NULL  -- which interface or bearer
) STRICT;

CREATE TABLE correction (
    -- Bytes a person added to (or took from) a SIM's usage. Append-only.
    id     INTEGER NOT NULL PRIMARY KEY,
    iccid  TEXT NOT NULL,
    at_ms  INTEGER NOT NULL, -- at which instant it counts, ms since 1970 UTC
    bytes  INTEGER NOT NULL, -- both directions together; negative takes away
    author TEXT NOT NULL,    -- such as uid 1000
    reason TEXT NOT NULL     -- in the author's words
) STRICT;
CREATE INDEX correction_by_sim ON correction (iccid, at_ms);

CREATE TABLE reminder (
    -- Every reminder as it is now; one per key.
    key          TEXT NOT NULL PRIMARY KEY,
    rule         TEXT NOT NULL,    -- the rule that raised it
    iccid        TEXT,             -- the SIM it is about
    state        TEXT NOT NULL,    -- pending, firing, acknowledged, snoozed or resolved
    state_ms     INTEGER,          -- acknowledged or resolved at, snoozed until; ms since 1970 UTC
    urgency      TEXT NOT NULL,    -- info, warning or critical
    text         TEXT NOT NULL,
    repeat       TEXT NOT NULL,    -- how often it is said again, JSON
    channels     TEXT NOT NULL,    -- names, JSON
    raised_ms    INTEGER NOT NULL, -- ms since 1970 UTC
    next_ms      INTEGER,          -- when it is said next; ms since 1970 UTC
    occurrence   INTEGER NOT NULL, -- how many times it was said
    trigger_kind TEXT NOT NULL,    -- usage, schedule, sms, roaming or health
    late_ms      INTEGER           -- how late it is said; NULL when on time
) STRICT;

CREATE TABLE delivery (
    -- The outbox: one message by one channel, committed with the reminder's state that caused it.
    id          TEXT NOT NULL PRIMARY KEY, -- dedupe key
    reminder    TEXT NOT NULL,             -- reminder.key
    channel     TEXT NOT NULL,
    state       TEXT NOT NULL,             -- queued, sending, delivered, failed or suppressed
    attempts    INTEGER NOT NULL,
    created_ms  INTEGER NOT NULL,          -- ms since 1970 UTC
    next_ms     INTEGER,                   -- when it is tried next, ms since 1970 UTC
    last_error  TEXT,
    message     TEXT NOT NULL              -- as decided when it was put here, JSON
) STRICT;
CREATE INDEX delivery_by_reminder ON delivery (reminder, created_ms);
CREATE INDEX delivery_ended ON delivery (created_ms) WHERE state NOT IN ('queued', 'sending');

CREATE TABLE sms_digest (
    -- Messages handled: shown again by the modem, they are not new.
    digest TEXT NOT NULL PRIMARY KEY,
    at_ms  INTEGER NOT NULL -- ms since 1970 UTC
) STRICT, WITHOUT ROWID;

CREATE TABLE schedule_mark (
    -- Up to when each schedule of a rule was served.
    key       TEXT NOT NULL PRIMARY KEY, -- RULE#N
    served_ms INTEGER NOT NULL           -- ms since 1970 UTC
) STRICT, WITHOUT ROWID;

CREATE TABLE call (
    -- Finished calls. Append-only.
    id        INTEGER NOT NULL PRIMARY KEY,
    iccid     TEXT,
    incoming  INTEGER NOT NULL, -- 1 where the other party called
    began_ms  INTEGER NOT NULL, -- ms since 1970 UTC
    seconds   INTEGER NOT NULL, -- connected; an upper bound where end_known is 0
    end_known INTEGER NOT NULL  -- 1 where the end was seen
) STRICT;
CREATE INDEX call_by_sim ON call (iccid, began_ms);

CREATE TABLE sms_sent (
    -- Short messages sent. Append-only.
    id    INTEGER NOT NULL PRIMARY KEY,
    iccid TEXT,
    parts INTEGER NOT NULL, -- each is charged
    at_ms INTEGER NOT NULL  -- ms since 1970 UTC
) STRICT;
CREATE INDEX sms_sent_by_sim ON sms_sent (iccid, at_ms);
