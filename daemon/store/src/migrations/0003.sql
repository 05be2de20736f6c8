-- Sessions, the carrier's view, calls and messages by class and zone, roll-ups.
CREATE TABLE session (
    -- One packet data connection as long as one SIM used it: what the kernel and what ModemManager counted, side by side.
    id              INTEGER NOT NULL PRIMARY KEY, -- epoch.id of its first epoch
    iccid           TEXT NOT NULL,
    modem           TEXT,             -- IMEI, or device path where there is none
    apn             TEXT,             -- access point name
    interface       TEXT,             -- network interface; NULL where there is none
    source          TEXT NOT NULL,    -- kernel or modem: whose figures are in usage now
    boot            TEXT NOT NULL,    -- kernel's boot id
    began_ms        INTEGER,          -- ms since 1970 UTC; NULL where the clock was not trusted
    began_boot_ms   INTEGER NOT NULL, -- CLOCK_BOOTTIME, ms
    ended_ms        INTEGER,          -- ms since 1970 UTC; NULL while it lasts, or where the clock was not trusted
    ended           INTEGER NOT NULL, -- 1 once it is over
    kernel_rx_bytes INTEGER,          -- IP bytes by the interface's counters; NULL where it has none
    kernel_tx_bytes INTEGER,
    kernel_rx_from  INTEGER,          -- the interface's figure that counts as 0; negative where a reset was bridged
    kernel_tx_from  INTEGER,
    modem_rx_bytes  INTEGER,          -- by ModemManager's bearer statistics; NULL where the modem tells none
    modem_tx_bytes  INTEGER,
    modem_rx_from   INTEGER,          -- ModemManager's figure that counts as 0
    modem_tx_from   INTEGER
) STRICT;
CREATE INDEX session_by_sim ON session (iccid, began_ms);
CREATE INDEX session_open ON session (id) WHERE ended = 0;

ALTER TABLE epoch ADD COLUMN session INTEGER /* session.id; NULL for what was imported or is older than version 3 */;
ALTER TABLE epoch ADD COLUMN modem TEXT /* whose bearer: IMEI, or device path where there is none */;
ALTER TABLE epoch ADD COLUMN about INTEGER NOT NULL DEFAULT 0 /* 1 where its date is only known to lie between two boots */;

ALTER TABLE correction ADD COLUMN undoes INTEGER /* correction.id that this one takes back */;

CREATE TABLE observation (
    -- The carrier's own figure for a cycle, beside what was measured. Append-only.
    id             INTEGER NOT NULL PRIMARY KEY,
    iccid          TEXT NOT NULL,
    at_ms          INTEGER NOT NULL, -- when the carrier's figure held, ms since 1970 UTC
    cycle_start_ms INTEGER NOT NULL, -- of the cycle it is about, ms since 1970 UTC
    bytes          INTEGER NOT NULL, -- used in the cycle, as the carrier says
    billed_bytes   INTEGER NOT NULL, -- used in the cycle until then, as the plan bills what was measured
    correction_bytes INTEGER NOT NULL, -- sum of the corrections in the cycle until then, not in billed_bytes
    terms          TEXT NOT NULL,    -- the plan and how it billed then: figures compare only under the same terms
    source         TEXT NOT NULL,    -- user, ussd or sms
    author         TEXT NOT NULL,    -- such as uid 1000
    note           TEXT NOT NULL,    -- in the author's words
    withdraws      INTEGER           -- observation.id that this one takes back; its own figures say nothing
) STRICT;
CREATE INDEX observation_by_sim ON observation (iccid, at_ms);

DROP INDEX call_by_sim;
ALTER TABLE call RENAME TO call_finished;
CREATE TABLE call (
    -- Calls, from the moment they are seen: one that goes on while the service does not run is not lost.
    id            INTEGER NOT NULL PRIMARY KEY,
    iccid         TEXT,
    incoming      INTEGER NOT NULL, -- 1 where the other party called
    number_class  TEXT NOT NULL,    -- such as national, international, short; numbers themselves are never kept
    party         TEXT,             -- keyed digest of the other party's number: tells parties apart, names nobody
    zone          TEXT NOT NULL,    -- home, unknown, roaming or roaming:MCCMNC, as the call began
    answered      INTEGER NOT NULL, -- 1 where the parties were connected
    began_ms      INTEGER,          -- when it was answered, or first seen, ms since 1970 UTC; NULL where the clock was not trusted
    boot          TEXT,             -- kernel's boot id
    began_boot_ms INTEGER NOT NULL, -- CLOCK_BOOTTIME, ms
    seconds       INTEGER NOT NULL, -- connected, at most
    seconds_min   INTEGER NOT NULL, -- connected, at least: differs where the end was not seen
    ending        TEXT NOT NULL,    -- seen, unknown (nobody saw it) or open
    open          TEXT              -- what is needed to go on with an open call, JSON
) STRICT;
CREATE INDEX call_by_sim ON call (iccid, began_ms);
CREATE INDEX call_open ON call (id) WHERE ending = 'open';
INSERT INTO call
    SELECT id, iccid, incoming, 'unknown', NULL, 'unknown', 1, began_ms, NULL, 0, seconds,
           CASE WHEN end_known THEN seconds ELSE 0 END, CASE WHEN end_known THEN 'seen' ELSE 'unknown' END, NULL
    FROM call_finished;
DROP TABLE call_finished;

CREATE TABLE sms (
    -- Short messages sent, received, tried in vain, and those of which nobody knows whether they left.
    id         INTEGER NOT NULL PRIMARY KEY,
    iccid      TEXT,
    direction  TEXT NOT NULL,    -- sent, received, failed or unknown
    parts      INTEGER NOT NULL, -- each one sent is charged
    zone       TEXT NOT NULL,    -- home, unknown, roaming or roaming:MCCMNC
    party      TEXT,             -- keyed digest of the recipient's number: tells recipients apart, names nobody
    at_ms      INTEGER,          -- ms since 1970 UTC; NULL where the clock was not trusted
    boot       TEXT,             -- kernel's boot id
    at_boot_ms INTEGER NOT NULL, -- CLOCK_BOOTTIME, ms
    digest     TEXT              -- of a message received, which is shown again and counted once
) STRICT;
CREATE INDEX sms_by_sim ON sms (iccid, at_ms);
CREATE UNIQUE INDEX sms_by_digest ON sms (digest) WHERE digest IS NOT NULL;
INSERT INTO sms (iccid, direction, parts, zone, at_ms, at_boot_ms)
    SELECT iccid, 'sent', parts, 'unknown', at_ms, 0 FROM sms_sent ORDER BY id;
DROP TABLE sms_sent;

ALTER TABLE usage ADD COLUMN span TEXT NOT NULL DEFAULT 'hour' /* what the slot is a part of: hour, day, cycle; imported also month, year or rest */;
ALTER TABLE usage ADD COLUMN until_ms INTEGER /* where a slot longer than an hour ends, ms since 1970 UTC; NULL for an hour's */;

CREATE TABLE usage_day (
    -- Sums of usage by UTC day, for days that are over: derived from usage, never a source of its own.
    iccid    TEXT NOT NULL,
    day_ms   INTEGER NOT NULL, -- start of the UTC day, ms since 1970 UTC
    zone     TEXT NOT NULL,
    source   TEXT NOT NULL,
    rx_bytes INTEGER NOT NULL,
    tx_bytes INTEGER NOT NULL,
    PRIMARY KEY (iccid, day_ms, zone, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_month (
    -- The same by UTC month: sums of usage_day.
    iccid    TEXT NOT NULL,
    month_ms INTEGER NOT NULL, -- start of the UTC month, ms since 1970 UTC
    zone     TEXT NOT NULL,
    source   TEXT NOT NULL,
    rx_bytes INTEGER NOT NULL,
    tx_bytes INTEGER NOT NULL,
    PRIMARY KEY (iccid, month_ms, zone, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_packed (
    -- A SIM's rows of a UTC month that is over, as an export gives them: derived from usage, never a source of its own,
    -- and dropped when usage of the month changes. Numbers of 7 bits a byte, as store/src/packed.rs says.
    iccid    TEXT NOT NULL,
    month_ms INTEGER NOT NULL, -- start of the UTC month, ms since 1970 UTC
    until_ms INTEGER NOT NULL, -- start of the next
    rows     BLOB NOT NULL,
    PRIMARY KEY (iccid, month_ms)
) STRICT;

CREATE TABLE rule_memory (
    -- What a rule remembers from one evaluation to the next.
    rule   TEXT NOT NULL PRIMARY KEY,
    memory TEXT NOT NULL -- values by name, JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE action (
    -- What a rule wanted done: as intended before anything was done, then what became of it.
    key     TEXT NOT NULL PRIMARY KEY, -- RULE/KEY/ICCID, @ and an instant behind it where it is asked for once
    rule    TEXT NOT NULL,
    iccid   TEXT NOT NULL,
    action  TEXT NOT NULL,    -- JSON
    state   TEXT NOT NULL,    -- intended, done, failed, unknown or refused
    at_ms   INTEGER NOT NULL, -- when it was asked for, ms since 1970 UTC
    trigger TEXT NOT NULL,    -- on what occasion
    wished  INTEGER NOT NULL, -- 1 while the rule goes on asking for it: it is not done again
    note    TEXT              -- the answer, or what went wrong
) STRICT, WITHOUT ROWID;
CREATE INDEX action_by_time ON action (at_ms);

CREATE TABLE decision (
    -- What a rule said as it last changed a reminder, beside all that it was told: for explanations.
    reminder TEXT NOT NULL PRIMARY KEY, -- reminder.key
    at_ms    INTEGER NOT NULL, -- ms since 1970 UTC
    decision TEXT NOT NULL     -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE modem (
    -- A modem as it was seen last.
    id      TEXT NOT NULL PRIMARY KEY, -- IMEI, or device path where there is none
    name    TEXT NOT NULL,    -- manufacturer and model
    iccid   TEXT,             -- the SIM it used last
    lost_ms INTEGER           -- when it was gone, ms since 1970 UTC; NULL while it is there
) STRICT, WITHOUT ROWID;

CREATE TABLE note (
    -- What the ledger remembers of itself, such as up to when usage_day is complete.
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO note VALUES ('party_key', lower(hex(randomblob(16))));
