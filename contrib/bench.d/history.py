"""What a long past costs: ten years of hours for 16 SIMs, beside vnStat with the same rows.

query_10y   service time of the slowest page of every form of `simbellctl usage`: usage by hour, day and cycle, as billed
            by day and cycle, calls, messages, what a total is made of, corrections, the carrier's figures; of one SIM of
            each kind of plan and of all; without --from, from the first hour and from the middle, until now and until the
            middle; the first pages, those in the middle and the last, each with the total over everything that was
            asked for. CPU time of all threads of the service, from the call to the answer, connection included. The pages
            that took longest are asked for seven times more, and their medians count. The peer, from start to end, shows
            the last day's hours of one interface: `vnstat --json h 24`
export_10y  `simbellctl usage export` of everything, the whole program, into a file: the form that takes longest of JSON
            and CSV, by hour, day and cycle; the peer is `vnstat --json`, whole, into a file. Medians, in turn
export_cpu  the same by CPU time, of simbellctl and the service together: what other programs do is not in it

How both grow with years and SIMs is told at the end.
"""

import datetime
import itertools
import json
import resource
import statistics
import subprocess
import time

from common import iccid, say
from past import HOUR, Past
from process import cpu_ns

METRICS = {"query_10y": (20, "ms"), "export_10y": 0.1, "export_cpu": None}
FORMS = {f"{form} by {by}": ["--format", form, "--by", by] for form in ("json", "csv") for by in ("hour", "day", "cycle")}


def measure(bench):
    if not bench.wants(*METRICS):
        return
    bench.grown.append(f"{'years':>6} {'SIMs':>5} {'hours':>9} {'slowest page':>13} {'export':>9} {'vnstat --json':>14}")
    for years, sims in ((1, 1), (10, 1), (1, 16), (10, 16)):
        say(f"{years} years of hours of {sims} SIMs ...")
        past = Past(bench, years, sims)
        whole = years == 10 and sims == 16
        slowest, form = Pages(past).slowest() if bench.wants("query_10y") or not whole else (0, "")
        exports, peer, rows = export(bench, past, FORMS if whole else {"json by hour": []})
        took_ms = f"{slowest:>10.2f} ms {exports['json by hour'][0]:>6.0f} ms {peer[0]:>11.0f} ms"
        bench.grown.append(f"{years:>6} {sims:>5} {rows:>9} {took_ms}   {form}")
        if whole:
            words = ["vnstat", "--config", str(past.peer), "-i", "wwan0", "--json", "h", "24"]
            peer_page = statistics.median(took(words, past)[0] for _ in range(7))
        past.leave()
    told = (f"{form} {wall:.0f} ({cpu:.0f})" for form, (wall, cpu) in (exports | {"vnstat --json": peer}).items())
    bench.grown.append("Exports of the last, ms (CPU): " + ", ".join(told))
    bench.keep("query_10y", round(slowest, 2), round(peer_page, 2), "ms")
    for metric, place in (("export_10y", 0), ("export_cpu", 1)):
        bench.keep(metric, round(max(spent[place] for spent in exports.values())), round(peer[place]), "ms")


class Pages:
    """Pages of every question, and how long each takes."""

    def __init__(self, past):
        self.past = past

    def page(self, method, question):
        """Milliseconds that the service worked for it, by the CPU clock of all its threads; the page."""
        began = cpu_ns(self.past.process.pid)
        page = self.past.call(method, question)
        return (cpu_ns(self.past.process.pid) - began) / 1e6, page

    def slowest(self):
        """The slowest page in ms, and what it was of."""
        seen = []
        for method, question in self.questions():
            ms, page = self.page(method, question)
            seen.append((ms, method, question))
            for _ in range(2 if "after" in question else 24):
                if page.get("next") is None:
                    break
                following = question | {"after": page["next"]}
                ms, page = self.page(method, following)
                seen.append((ms, method, following))
        # The slowest may have had bad luck: those that look worst are asked again.
        worst = sorted(seen, key=lambda one: one[0], reverse=True)[:24]
        again = [
            (statistics.median(self.page(method, asked)[0] for _ in range(7)), method, asked)
            for _, method, asked in worst
        ]
        ms, method, asked = max(again, key=lambda one: one[0])
        told = " ".join(f"{key}={value}" for key, value in asked.items() if value is not None)
        return ms, f"{len(seen)} pages; {method} {told}"

    def questions(self):
        past = self.past
        day = lambda at: datetime.datetime.fromtimestamp(at, datetime.timezone.utc).date().isoformat()
        first, middle = day(past.since), day((past.since + past.until) // 2)
        # One of each kind of plan, and all.
        sims = [f"sim{i}" for i in range(min(past.sims, 4))]
        spans = ((None, None), (first, None), (middle, None), (first, middle))
        ways = {"GetUsage": ("hour", "day", "cycle"), "GetBilled": ("day", "cycle")}
        ways |= {"GetCalls": ("hour", "day", "cycle"), "GetMessages": ("hour", "day", "cycle")}
        for method, ways_of in ways.items():
            for by, sim, (start, end) in itertools.product(ways_of, [None, *sims], spans):
                question = {"by": by, "sim": sim, "from": start, "to": end}
                yield method, question
                for place in self.places(sim) if start else []:
                    yield method, question | {"after": place}
        year = day((past.since + past.until) // 2 + 365 * 24 * HOUR)
        for sim in sims:
            for span in ({}, {"day": first}, {"day": middle}, {"cycle": middle}, {"from": middle, "to": year}):
                yield "ExplainUsage", {"sim": sim} | span
        for method, sim in itertools.product(("ListCorrections", "ListObservations"), [None, *sims]):
            yield method, {"sim": sim}

    def places(self, named):
        """Where pages begin further on, by the form that the service gives."""
        past = self.past
        for sim in {0, past.sims // 2, past.sims - 1} if named is None else [int(named[3:])]:
            for part in (0.1, 0.5, 0.9999):
                at = int(past.since + (past.until - past.since) * part) // HOUR * HOUR
                yield f"{iccid(sim)}:{at * 1000}"


def took(words, past):
    """A run into a file: ms, and ms of CPU time, of the program and of the service."""
    clocks = lambda: cpu_ns(past.process.pid) / 1e6 + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) * 1000
    with open(past.dir / "out", "wb") as to:
        spent, began = clocks(), time.perf_counter()
        subprocess.run(words, check=True, stdout=to)
        return (time.perf_counter() - began) * 1000, clocks() - spent


def export(bench, past, forms):
    """Medians of every form, of vnStat's, in turn; how many rows both have."""
    program = [str(bench.programs / "simbellctl"), "--socket", str(past.control), "usage", "export"]
    theirs = ["vnstat", "--config", str(past.peer), "--json"]
    spans, peers = {form: [] for form in forms}, []
    for _ in range(5):
        for form, words in forms.items():
            spans[form].append(took(program + words, past))
        peers.append(took(theirs, past))
    told = json.loads((past.dir / "out").read_text())
    peer_rows = sum(len(interface["traffic"]["hour"]) for interface in told["interfaces"])
    took(program, past)
    with open(past.dir / "out", "rb") as lines:
        rows = sum(1 for line in lines if line.startswith(b'{"record":"usage"'))
    if rows != peer_rows:
        raise SystemExit(f"error: {rows} rows were exported, vnstat has {peer_rows}")
    medians = lambda runs: tuple(statistics.median(clock) for clock in zip(*runs))
    return {form: medians(runs) for form, runs in spans.items()}, medians(peers), rows
