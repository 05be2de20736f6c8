"""A service and a database of vnStat's with the same years of hours.

The ledger is made by simbelld; the rows are put into it, and into a database of vnStat's own making, while neither runs.
In turn the SIMs' plans bill by nothing, by the connection with the greater direction, by the connection from a bucket that
is as old as the ledger, and by the day with zero-rated hours. Each SIM makes a connection, two calls and four messages
a day, and is corrected, and told what the carrier says, five times a year.
"""

import json
import os
import random
import socket
import sqlite3
import subprocess
import time

from common import iccid, until
from room import ask_sims

HOUR = 3600
DAY = 24 * HOUR
# The same rows on any day: they end with the hour before now.
SEED = 10
BILLED = [
    'every = "month", day = {day}',
    'every = "month", day = {day}, counts = "max", increment = "100 kB", per = "session"',
    'until = "used", start = {since}, increment = "1 MB", per = "session"',
    'every = "month", day = {day}, increment = "10 MB", per = "day", free_hours = [{{ from = "00:00", until = "06:00" }}]',
]


class Past:
    """A service and a database of vnStat's with the same hours."""

    def __init__(self, bench, years, sims):
        self.sims, self.programs = sims, bench.programs
        self.dir = bench.base / f"history-{years}-{sims}"
        self.dir.mkdir()
        self.until = int(time.time()) // HOUR * HOUR
        self.since = self.until - years * 365 * DAY
        self.process = None
        self.start()
        self.stop()
        self.fill()
        self.fill_peer()
        self.start()
        # The first commit sums the days that are over; a correction makes one.
        self.call("SetUsage", {"sim": "sim0", "bytes": 10**12})
        if not self.call("GetUsage", {"by": "day", "limit": 1})["total"]["rx_bytes"]:
            raise SystemExit("error: the ledger's rows are not seen")

    def start(self):
        config = self.dir / "etc"
        (config / "rules.d").mkdir(parents=True, exist_ok=True)
        text = f"""
timezone = "Europe/Berlin"
[service]
clock = "plausible"
bus = "unix:path={self.dir}/nobody"
[history]
hours = "forever"
backups = 0
[rules]
plugin_dirs = []
"""
        for i in range(self.sims):
            text += f'[sims.sim{i}]\niccid = "{iccid(i)}"\n'
            billed = BILLED[i % len(BILLED)].format(day=i % 28 + 1, since=time.strftime("%Y-%m-%d", time.gmtime(self.since)))
            text += f'plan = {{ data = "100 TB", {billed} }}\n'
        (config / "simbell.toml").write_text(text)
        self.control = self.dir / "control.sock"
        words = [str(self.programs / "simbelld"), "--config", str(config), "--state-dir", str(self.dir / "state")]
        clean = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "TZ")}
        log = open(self.dir / "simbelld.log", "a")
        words += ["--socket", str(self.control)]
        self.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=clean)
        until(self.answers, f"the service; see {self.dir}")

    def answers(self):
        if self.process.poll() is not None:
            raise SystemExit(f"error: the service ended; see {self.dir}/simbelld.log")
        return len(ask_sims(self.control)) == self.sims

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def leave(self):
        self.stop()

    def rows(self, sim):
        chance = random.Random(SEED + sim)
        for start in range(self.since, self.until, HOUR):
            yield start, chance.randrange(50_000_000), chance.randrange(5_000_000)

    def fill(self):
        ledger = sqlite3.connect(self.dir / "state" / "ledger.db", isolation_level=None)
        ledger.execute("BEGIN")
        for sim in range(self.sims):
            ledger.executemany(
                "INSERT INTO usage (iccid, start_ms, epoch, zone, source, rx_bytes, tx_bytes, first_ms, last_ms)"
                " VALUES (?1, ?2 * 1000, ?5, 'home', 'kernel', ?3, ?4, ?2 * 1000, ?2 * 1000 + 3599999)",
                ((iccid(sim), *row, self.connection(sim, row[0])) for row in self.rows(sim)),
            )
            self.fill_days(ledger, sim)
        # What comes in behind the service's back is in none of its sums yet.
        ledger.execute("DELETE FROM note WHERE key = 'usage_sums_until_ms'")
        ledger.execute("COMMIT")
        ledger.close()

    def connection(self, sim, at):
        return 1 + (at - self.since) // DAY * self.sims + sim

    def fill_days(self, ledger, sim):
        """A connection, two calls and four messages a day; a correction and a figure of the carrier's each tenth week."""
        whose, chance = iccid(sim), random.Random(SEED + sim)
        for day in range(self.since, self.until, DAY):
            epoch, at, end = self.connection(sim, day), day * 1000, min(day + DAY, self.until) * 1000
            ledger.execute(
                "INSERT INTO epoch (id, iccid, zone, source, boot, ifindex, interface, apn, began_ms, began_boot_ms, session)"
                " VALUES (?, ?, 'home', 'kernel', 'bench', 7, 'wwan0', 'internet', ?, 0, ?)",
                (epoch, whose, at, epoch),
            )
            ledger.execute(
                "INSERT INTO session (id, iccid, apn, interface, source, boot, began_ms, began_boot_ms, ended_ms, ended)"
                " VALUES (?, ?, 'internet', 'wwan0', 'kernel', 'bench', ?, 0, ?, 1)",
                (epoch, whose, at, end),
            )
            for taken in (0, 1):
                ledger.execute(
                    "INSERT INTO call (iccid, incoming, number_class, zone, answered, began_ms, began_boot_ms, seconds,"
                    " seconds_min, ending) VALUES (?, ?, 'national', 'home', 1, ?, 0, ?, 60, 'seen')",
                    (whose, taken, at + chance.randrange(DAY * 1000), chance.randrange(60, 600)),
                )
            for way in ("sent", "sent", "received", "received"):
                party = f"{chance.randrange(12):032x}" if way == "sent" else None
                ledger.execute(
                    "INSERT INTO sms (iccid, direction, parts, zone, party, at_ms, at_boot_ms) VALUES (?, ?, 1, 'home', ?, ?, 0)",
                    (whose, way, party, at + chance.randrange(DAY * 1000)),
                )
            if (day - self.since) // DAY % 73 == 0:
                ledger.execute(
                    "INSERT INTO correction (iccid, at_ms, bytes, author, reason) VALUES (?, ?, ?, 'uid 0', 'bench')",
                    (whose, at, chance.randrange(-(10**6), 10**6)),
                )
                ledger.execute(
                    "INSERT INTO observation (iccid, at_ms, cycle_start_ms, bytes, billed_bytes, correction_bytes, terms,"
                    " source, author, note) VALUES (?, ?, ?, 1000, 1000, 0, 'bench', 'user', 'uid 0', 'bench')",
                    (whose, at, at),
                )

    def fill_peer(self):
        self.peer = self.dir / "vnstat.conf"
        database = self.dir / "vnstat"
        database.mkdir()
        self.peer.write_text(f'DatabaseDir "{database}"\nUseLogging 0\n')
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run(["vnstatd", "--config", str(self.peer), "--initdb"], **quiet)
        for sim in range(self.sims):
            subprocess.run(["vnstat", "--config", str(self.peer), "-i", f"wwan{sim}", "--add", "--force"], **quiet)
        ledger = sqlite3.connect(database / "vnstat.db", isolation_level=None)
        ledger.execute("BEGIN")
        for sim in range(self.sims):
            (own,) = ledger.execute("SELECT id FROM interface WHERE name = ?", [f"wwan{sim}"]).fetchone()
            ledger.executemany(
                "INSERT INTO hour (interface, date, rx, tx) VALUES (?, datetime(?, 'unixepoch'), ?, ?)",
                ((own, *row) for row in self.rows(sim)),
            )
        ledger.execute("UPDATE interface SET updated = datetime('now')")
        ledger.execute("COMMIT")
        ledger.close()

    def call(self, method, parameters):
        """What the service answers."""
        with socket.socket(socket.AF_UNIX) as to:
            to.settimeout(60)
            to.connect(str(self.control))
            question = {"method": f"org.simbell.Control.{method}", "parameters": parameters}
            to.sendall(json.dumps(question).encode() + b"\0")
            answer = b""
            while not answer.endswith(b"\0"):
                got = to.recv(1 << 20)
                if not got:
                    raise OSError("hung up")
                answer += got
        reply = json.loads(answer[:-1])
        if "error" in reply:
            raise SystemExit(f"error: {method} {parameters}: {reply}")
        return reply["parameters"]
