"""How cost grows: with interfaces, with SIMs that are known, with years of hours in the ledger.

interfaces  N bearers on N veth interfaces, 1 MB/s in all: CPU time, system calls and memory of simbelld and of vnstatd
            beside it in the same windows, and one reading of the counters beside the bare dump
SIMs        one modem, N SIMs with plans known: memory, wake-ups with nothing connected, and the time in which every
            SIM is told
years       16 SIMs, each hour of so many years in the ledger, made with the store's own commits: size, memory, the
            time from the start to the first answer, and in which a page of days of the last month, and of cycles of
            the whole time, is answered
"""

import statistics
import time

from common import iccid, say, until
from process import Switches, cpu_hourly, memory, syscalls
from room import Room, ask, ask_sims

# As where the upkeep is measured: past all that only a start brings.
SETTLE = 90


def scale(bench, show):
    interfaces(bench, show)
    sims(bench, show)
    years(bench, show)


def interfaces(bench, show):
    for count in (1, 8, 64, 256):
        say(f"scale: {count} interfaces ...")
        room = Room(bench.base, f"scale{count}", count)
        sample = bench.inside("sample")
        room.modems(bench.programs, connected=True)
        theirs = room.vnstatd(room.dir / "vnstat")
        ours, control = room.simbelld(room.dir / "state")
        room.ready(control, ours, "connected")
        time.sleep(SETTLE)
        spent = cpu_hourly([ours, theirs], bench.window)
        calls = [bench.per_minute(n) for n in syscalls([ours, theirs], bench.window, room.dir)]
        resident = [memory(pid)["Rss"] for pid in (ours, theirs)]
        show("interfaces", count, {
            "cpu s/h": spent, "syscalls/min": calls, "rss kB": resident,
            "sample ns": sample,
        })
        room.leave()


def sims(bench, show):
    for count in (1, 16, 256):
        say(f"scale: {count} SIMs ...")
        room = Room(bench.base, f"sims{count}", 1)
        room.modems(bench.programs, connected=False)
        ours, control = room.simbelld(room.dir / "state", sims=count)
        until(lambda: control.exists() and any(sim["active"] for sim in ask_sims(control)), "a SIM in use")
        time.sleep(SETTLE)
        watch = Switches(ours)
        watch.start()
        time.sleep(bench.window)
        wakes = bench.per_minute(watch.end())
        told = median_ms(lambda: ask_sims(control))
        show("SIMs", count, {"rss kB": [memory(ours)["Rss"]], "wake-ups/min": [wakes], "all told ms": [told]})
        room.leave()


def years(bench, show):
    for count in (1, 5, 10):
        say(f"scale: {count} years ...")
        room = Room(bench.base, f"years{count}", 1)
        room.modems(bench.programs, connected=False)
        state = room.dir / "state"
        state.mkdir()
        ledger, now = state / "ledger.db", str(int(time.time()))
        bench.inside("fill", str(ledger), str(count), now, *(iccid(i) for i in range(16)))
        size = ledger.stat().st_size
        began = time.monotonic()
        ours, control = room.simbelld(state, sims=16)
        until(lambda: control.exists() and len(ask_sims(control)) == 16, "every SIM", 120)
        started = round((time.monotonic() - began) * 1000)
        time.sleep(SETTLE)
        asked = {"sim": "sim0", "by": "day", "from": time.strftime("%Y-%m-01")}
        month = median_ms(lambda: ask(control, "GetUsage", asked))
        ever = {"sim": "sim0", "by": "cycle", "from": "2015-01-01"}
        cycles = median_ms(lambda: ask(control, "GetUsage", ever))
        show("years", count, {
            "ledger MB": [round(size / 1e6, 1)], "rss kB": [memory(ours)["Rss"]], "start ms": [started],
            "page of days ms": [month], "page of cycles ms": [cycles],
        })
        room.leave()


def median_ms(call):
    spans = []
    for _ in range(21):
        began = time.monotonic()
        call()
        spans.append((time.monotonic() - began) * 1000)
    return round(statistics.median(spans), 2)
