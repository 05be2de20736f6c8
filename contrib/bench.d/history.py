"""What a long past costs: ten years of hours for 16 SIMs, beside vnStat with the same rows.

query_10y   service time of the slowest page of every form of `simbellctl usage`: by hour, day and cycle; of one SIM and
            of all; without --from, from the first hour and from the middle, until now and until the middle; the first
            pages, those in the middle and the last, each with the total over everything that was asked for. Measured
            at the socket, first page and connection included. A page is asked for seven times, its median counts. The
            peer shows the last day's hours of one interface: `vnstat --json h 24`
export_10y  `simbellctl usage export` of everything, the whole program, into a file; the peer is `vnstat --json`, whole,
            into a file. Median of five each, in turn

The ledger is made by simbelld; the rows are put into it, and into a database of vnStat's own making, while neither
runs. How both grow with years and SIMs is told as it is measured.
"""

import datetime
import json
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import time
from pathlib import Path

from common import iccid, say, until
from room import ask_sims

METRICS = {"query_10y": (20, "ms"), "export_10y": 0.1}
HOUR = 3600
DAY = 24 * HOUR
# The same rows on any day: they end with the hour before now.
SEED = 10


def measure(bench):
    if not bench.wants(*METRICS):
        return
    grown = []
    for years, sims in ((1, 1), (10, 1), (1, 16), (10, 16)):
        say(f"{years} years of hours of {sims} SIMs ...")
        past = Past(bench, years, sims)
        slowest, form = past.slowest()
        export, rows = past.export(5)
        peer_page = past.peer_page()
        peer, peer_rows = past.peer_export(5)
        if rows != peer_rows:
            raise SystemExit(f"error: {rows} rows were exported, vnstat has {peer_rows}")
        grown.append((years, sims, rows, slowest, export, peer, form))
        past.leave()
    print("How cost grows:")
    print(f"{'years':>6} {'SIMs':>5} {'hours':>9} {'slowest page':>13} {'export':>9} {'vnstat --json':>14}")
    for years, sims, rows, slowest, export, peer, form in grown:
        print(f"{years:>6} {sims:>5} {rows:>9} {slowest:>10.2f} ms {export:>6.0f} ms {peer:>11.0f} ms   {form}")
    print()
    bench.keep("query_10y", round(slowest, 2), round(peer_page, 2), "ms")
    bench.keep("export_10y", round(export), round(peer), "ms")


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
            text += f'plan = {{ data = "100 GB", every = "month", day = {i % 28 + 1} }}\n'
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
                " VALUES (?1, ?2 * 1000, 1, 'home', 'kernel', ?3, ?4, ?2 * 1000, ?2 * 1000 + 3599999)",
                ((iccid(sim), *row) for row in self.rows(sim)),
            )
        # What comes in behind the service's back is in none of its sums yet.
        ledger.execute("DELETE FROM note WHERE key = 'usage_sums_until_ms'")
        ledger.execute("COMMIT")
        ledger.close()

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

    def page(self, question):
        began = time.perf_counter()
        page = self.call("GetUsage", question)
        return (time.perf_counter() - began) * 1000, page

    def slowest(self):
        """The slowest page in ms, and what it was of."""
        day = lambda at: datetime.datetime.fromtimestamp(at, datetime.timezone.utc).date().isoformat()
        first, middle = day(self.since), day((self.since + self.until) // 2)
        seen = []
        for by in ("hour", "day", "cycle"):
            for sim in (None, "sim0", f"sim{self.sims - 1}"):
                for start, end in ((None, None), (first, None), (middle, None), (first, middle)):
                    question = {"by": by, "sim": sim, "from": start, "to": end}
                    for at, after in enumerate(self.places(question)):
                        asked = question | {"after": after}
                        seen.append((self.page(asked)[0], at, asked))
        # The slowest may have had bad luck: those that look worst are asked again.
        worst = sorted(seen, key=lambda one: one[0], reverse=True)[:24]
        again = [(statistics.median(self.page(asked)[0] for _ in range(7)), asked) for _, _, asked in worst]
        took, asked = max(again, key=lambda one: one[0])
        return took, f"by {asked['by']}, {asked['sim'] or 'all SIMs'}, from {asked['from'] or 'the cycle'}"

    def places(self, question):
        """Where pages begin: the first ones, then, by the form that the service gives, further on to the last."""
        after, places = None, [None]
        for _ in range(6):
            after = self.page(question | {"after": after})[1]["next"]
            if after is None:
                return places
            places.append(after)
        named = question["sim"]
        sims = range(self.sims) if named is None else [int(named[3:])]
        for sim in sims:
            for part in (0.1, 0.5, 0.9, 0.9999):
                at = int(self.since + (self.until - self.since) * part) // HOUR * HOUR
                places.append(f"{iccid(sim)}:{at * 1000}")
        return places

    def whole(self, words, times):
        took = []
        for n in range(times):
            out = self.dir / "out"
            with open(out, "wb") as to:
                began = time.perf_counter()
                subprocess.run(words, check=True, stdout=to)
                took.append((time.perf_counter() - began) * 1000)
        return statistics.median(took), out

    def export(self, times):
        program = str(self.programs / "simbellctl")
        took, out = self.whole([program, "--socket", str(self.control), "usage", "export"], times)
        with open(out, "rb") as lines:
            rows = sum(1 for line in lines if line.startswith(b'{"record":"usage"'))
        return took, rows

    def peer_export(self, times):
        took, out = self.whole(["vnstat", "--config", str(self.peer), "--json"], times)
        told = json.loads(Path(out).read_text())
        return took, sum(len(interface["traffic"]["hour"]) for interface in told["interfaces"])

    def peer_page(self):
        words = ["vnstat", "--config", str(self.peer), "-i", "wwan0", "--json", "h", "24"]
        return self.whole(words, 7)[0]
