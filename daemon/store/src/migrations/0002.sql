-- Usage lies by SIM and time, so that a total is one range scan and needs no look at epochs.
ALTER TABLE usage RENAME TO usage_by_epoch;
CREATE TABLE usage (
    -- Bytes carried, by SIM and slot: the source of every total. A slot is a UTC hour, or the part of one that
    -- lies before or after the start of a billing cycle; it counts by its start.
    iccid    TEXT NOT NULL,
    start_ms INTEGER NOT NULL, -- ms since 1970 UTC
    epoch    INTEGER NOT NULL, -- epoch.id
    zone     TEXT NOT NULL,    -- home, unknown, roaming or roaming:MCCMNC
    source   TEXT NOT NULL,    -- kernel, modem or user
    rx_bytes INTEGER NOT NULL, -- IP bytes received
    tx_bytes INTEGER NOT NULL, -- IP bytes sent
    first_ms INTEGER NOT NULL, -- first instant covered, ms since 1970 UTC
    last_ms  INTEGER NOT NULL, -- last instant covered, ms since 1970 UTC
    PRIMARY KEY (iccid, start_ms, epoch, zone, source)
) STRICT, WITHOUT ROWID;
INSERT INTO usage
    SELECT e.iccid, u.start_ms, u.epoch, e.zone, e.source, u.rx_bytes, u.tx_bytes, u.first_ms, u.last_ms
    FROM usage_by_epoch AS u LEFT JOIN epoch AS e ON e.id = u.epoch;
DROP TABLE usage_by_epoch;

ALTER TABLE usage_undated RENAME TO usage_undated_by_epoch;
CREATE TABLE usage_undated (
    -- Bytes carried before the clock was trusted: they wait for their date and are in no total of a span until then.
    boot          TEXT NOT NULL,    -- kernel's boot id
    start_boot_ms INTEGER NOT NULL, -- CLOCK_BOOTTIME, ms
    iccid         TEXT NOT NULL,
    epoch         INTEGER NOT NULL, -- epoch.id
    zone          TEXT NOT NULL,    -- home, unknown, roaming or roaming:MCCMNC
    source        TEXT NOT NULL,    -- kernel, modem or user
    rx_bytes      INTEGER NOT NULL, -- IP bytes received
    tx_bytes      INTEGER NOT NULL, -- IP bytes sent
    first_boot_ms INTEGER NOT NULL, -- first instant covered, CLOCK_BOOTTIME, ms
    last_boot_ms  INTEGER NOT NULL, -- last instant covered, CLOCK_BOOTTIME, ms
    PRIMARY KEY (boot, start_boot_ms, iccid, epoch, zone, source)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_undated
    SELECT u.boot, u.start_boot_ms, e.iccid, u.epoch, e.zone, e.source,
           u.rx_bytes, u.tx_bytes, u.first_boot_ms, u.last_boot_ms
    FROM usage_undated_by_epoch AS u LEFT JOIN epoch AS e ON e.id = u.epoch;
DROP TABLE usage_undated_by_epoch;

ALTER TABLE baseline ADD COLUMN modem TEXT /* whose bearer used it: IMEI, or device path where there is none */;
ALTER TABLE baseline ADD COLUMN apn TEXT /* access point name of that bearer */;

CREATE TABLE first_use (
    -- The first instant a bundle counts from.
    iccid TEXT NOT NULL,
    plan  TEXT NOT NULL,
    at_ms INTEGER NOT NULL, -- ms since 1970 UTC
    PRIMARY KEY (iccid, plan)
) STRICT, WITHOUT ROWID;

CREATE VIEW usage_by_hour AS
    -- Bytes by SIM, UTC hour and zone.
    SELECT iccid, strftime('%Y-%m-%dT%H:00:00Z', start_ms / 1000, 'unixepoch') AS hour, zone, source,
           sum(rx_bytes) AS rx_bytes, sum(tx_bytes) AS tx_bytes
    FROM usage GROUP BY iccid, hour, zone, source;

CREATE VIEW usage_by_day AS
    -- Bytes by SIM, UTC day and zone.
    SELECT iccid, date(start_ms / 1000, 'unixepoch') AS day, zone, source,
           sum(rx_bytes) AS rx_bytes, sum(tx_bytes) AS tx_bytes
    FROM usage GROUP BY iccid, day, zone, source;

CREATE VIEW usage_by_month AS
    -- Bytes by SIM, UTC month and zone.
    SELECT iccid, strftime('%Y-%m', start_ms / 1000, 'unixepoch') AS month, zone, source,
           sum(rx_bytes) AS rx_bytes, sum(tx_bytes) AS tx_bytes
    FROM usage GROUP BY iccid, month, zone, source;

CREATE VIEW corrections AS
    -- What persons corrected, times in UTC.
    SELECT iccid, strftime('%Y-%m-%dT%H:%M:%SZ', at_ms / 1000, 'unixepoch') AS at, bytes, author, reason
    FROM correction ORDER BY at_ms, id;

CREATE VIEW gaps AS
    -- What could not be known, times in UTC.
    SELECT iccid, strftime('%Y-%m-%dT%H:%M:%SZ', from_ms / 1000, 'unixepoch') AS since,
           strftime('%Y-%m-%dT%H:%M:%SZ', until_ms / 1000, 'unixepoch') AS until, reason, detail
    FROM gap ORDER BY coalesce(until_ms, from_ms), id;

CREATE VIEW reminders_now AS
    -- Reminders that are not resolved, times in UTC.
    SELECT key, rule, iccid, state,
           strftime('%Y-%m-%dT%H:%M:%SZ', state_ms / 1000, 'unixepoch') AS state_at, urgency, text,
           strftime('%Y-%m-%dT%H:%M:%SZ', raised_ms / 1000, 'unixepoch') AS raised_at,
           strftime('%Y-%m-%dT%H:%M:%SZ', next_ms / 1000, 'unixepoch') AS next_at, occurrence
    FROM reminder WHERE state <> 'resolved' ORDER BY raised_ms, key;

CREATE VIEW outbox AS
    -- Messages that have not left yet, times in UTC.
    SELECT id, reminder, channel, state, attempts,
           strftime('%Y-%m-%dT%H:%M:%SZ', created_ms / 1000, 'unixepoch') AS created_at,
           strftime('%Y-%m-%dT%H:%M:%SZ', next_ms / 1000, 'unixepoch') AS next_at, last_error
    FROM delivery WHERE state IN ('queued', 'sending') ORDER BY created_ms, id;

CREATE VIEW sims AS
    -- Every SIM ever seen, times in UTC.
    SELECT iccid, operator, strftime('%Y-%m-%dT%H:%M:%SZ', first_seen_ms / 1000, 'unixepoch') AS first_seen,
           strftime('%Y-%m-%dT%H:%M:%SZ', last_seen_ms / 1000, 'unixepoch') AS last_seen
    FROM sim ORDER BY iccid;
