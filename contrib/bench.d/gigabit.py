"""A threshold crossed at a full gigabit a second, noticed without any privilege.

SIMs with a plan of 100 GB, each used to so many seconds of a gigabit below 80% of it. One after another its interface is
filled from nothing at 125 MB/s, in whole frames, until a while past the threshold; the instant of the crossing is when the
interface's own counters, read before and after each datagram, are beyond it.

late_1g       the latest of them: from the crossing to the instant that the reminder bears; at most a second
late_1g_mean  their mean
"""

import json
import sqlite3
import statistics
import sys
import time

from common import iccid, say, until
from room import MAIN, Room, ask

RATE = 125_000_000
THRESHOLD = 80_000_000_000
# How far from the threshold each begins, in seconds at that rate.
AWAY = [0.05, 0.4, 0.9, 1.3, 2.1, 3.4, 5.5, 8.9, 14.4, 23.3]
METRICS = {"late_1g": (1000, "ms"), "late_1g_mean": None}


def measure(bench):
    if not bench.wants(*METRICS):
        return
    say(f"late_1g: {len(AWAY)} crossings at 1 Gbit/s ...")
    room = Room(bench.base, "gigabit", len(AWAY))
    room.modems(bench.programs, connected=True, send=False)
    state = room.dir / "state"
    process, control = room.simbelld(state)
    room.ready(control, process, "connected")
    late = []
    for i, seconds in enumerate(AWAY):
        away = round(seconds * RATE)
        ask(control, "SetUsage", {"sim": f"sim{i}", "bytes": THRESHOLD - away, "reason": "bench"})
        # What the change itself has read is over; then nothing passes for longer than the shortest interval.
        time.sleep(3)
        crossed = fill(room, i, away)
        until(lambda: raised(state, i) is not None, f"the reminder of sim{i}", 60)
        late.append((raised(state, i) - crossed) / 1e6)
        bench.tell(f"  {seconds:>5} s away: {late[-1]:.0f} ms")
    room.leave()
    if min(late) < -1:
        raise SystemExit(f"error: a reminder came before its crossing: {min(late)} ms")
    bench.keep("late_1g", round(max(late), 1), None, "ms")
    bench.keep("late_1g_mean", round(statistics.mean(late), 1), None, "ms")


def fill(room, number, away):
    out = room.dir / f"crossed{number}"
    sender = room.start([sys.executable, MAIN, "--fill", str(number), str(RATE), str(away), str(out)], f"fill{number}")
    until(lambda: sender.poll() is not None, "the sender to end", 120)
    if sender.returncode:
        raise SystemExit(f"error: the sender failed; see {room.dir}")
    told = json.loads(out.read_text())
    if told["rate"] < 0.95 * RATE:
        say(f"  only {told['rate'] / RATE:.2f} of the rate was reached")
    return told["crossed"]


def raised(state, number):
    """When the SIM's reminder was raised, by CLOCK_MONOTONIC; none before."""
    ahead = time.time_ns() - time.monotonic_ns()
    ledger = sqlite3.connect(f"file:{state}/ledger.db?mode=ro", uri=True)
    rows = ledger.execute(
        "SELECT raised_ms FROM reminder WHERE rule = 'data-thresholds' AND key LIKE '%/data-80/%' AND iccid = ?",
        (iccid(number),),
    ).fetchall()
    ledger.close()
    return rows[0][0] * 1_000_000 - ahead if rows else None
