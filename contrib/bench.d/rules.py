"""What rules cost: the shipped ones, and many.

rule_quiet    the slowest shipped rule on any of its occasions where it reminds of nothing; the peer is the bare call of
              the same compiled function. Medians; every rule on every occasion is told beside it
rule_reminds  the same where it reminds
rule_allocs   allocations of the evaluation that makes most of them; the peer is the bare call's
event_1000    one usage event of 16 SIMs on which 1,000 rules are asked about each (16,000 evaluations), from the event to
              the answers taken in: State::step, RuleSet::evaluate_all, State::step; CPU time of the one thread. The
              rules are copies of the shipped ones with on_usage, in turn. The median of events far from a threshold
event_rings   the slowest such event: the first after the start, the one in which every SIM crosses a threshold, and
              those while all these reminders stand are told beside it
rule_heap     heap held by a loaded rule: that of 200 copies of the shipped ones less that of 1, by the counting allocator
rules_start   from the start of simbelld with 200 copies of the shipped rules to the answer to ListRules on its control
              socket, with a ledger of its own that is made anew; the peer is the same without rules. Medians, in turn
"""

import shutil
import statistics
import subprocess
import time
from pathlib import Path

from common import say, until
from room import ask

METRICS = {
    "rule_quiet": None, "rule_reminds": None, "rule_allocs": None, "event_1000": (200, "ms"), "event_rings": None,
    "rule_heap": None, "rules_start": None,
}
SHIPPED = Path("plugins/rules")
RULES, SIMS, STARTED = 1000, 16, 200
ROUNDS = 7


def measure(bench):
    if bench.wants("rule_quiet", "rule_reminds", "rule_allocs"):
        each(bench)
    if bench.wants("event_1000", "event_rings"):
        event(bench)
    if bench.wants("rule_heap"):
        say("heap of loaded rules ...")
        shipped = rules_with("")
        one, many = (copies(bench, f"heap-{count}", shipped, count) for count in (1, STARTED))
        few, of_few, count, of_many = map(int, inside(bench, "loaded", one, many)[0])
        bench.keep("rule_heap", round((of_many - of_few) / (count - few)), None, "B")
    if bench.wants("rules_start"):
        start(bench)


def inside(bench, *words):
    """Lines of daemon/examples/bench_rules, in words."""
    program = str(bench.programs / "examples" / "bench_rules")
    told = subprocess.run([program, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [line.split() for line in told.splitlines()]


def rules_with(function):
    """The shipped rules whose script has so much in it."""
    return [main.parent for main in sorted(SHIPPED.glob("*/main.rhai")) if function in main.read_text()]


def copies(bench, name, shipped, count):
    """A folder of so many copies of these plugins, in turn, each under a name of its own."""
    folder = bench.base / name
    folder.mkdir()
    for number in range(count):
        plugin = shipped[number % len(shipped)]
        named = f"{plugin.name}-{number}"
        shutil.copytree(plugin, folder / named)
        manifest = folder / named / "plugin.toml"
        manifest.write_text(manifest.read_text().replace(f'name = "{plugin.name}"', f'name = "{named}"', 1))
    return folder


def each(bench):
    say("each shipped rule ...")
    rows = [(*row[:3], *map(int, row[3:])) for row in inside(bench, "each", SHIPPED)]
    bench.tell("Each shipped rule on each of its occasions, ns (allocations), beside the bare call:")
    bench.tell(f"{'rule':<18} {'occasion':<11} {'case':<8} {'ns':>7} {'bare':>7} {'allocs':>7} {'bare':>5} {'peak B':>7}")
    for name, occasion, case, ours, bare, made, of_bare, peak in rows:
        bench.tell(f"{name:<18} {occasion:<11} {case:<8} {ours:>7} {bare:>7} {made:>7} {of_bare:>5} {peak:>7}")
    bench.tell("")
    for metric, wanted in (("rule_quiet", "quiet"), ("rule_reminds", "reminds")):
        slowest = max((row for row in rows if row[2] == wanted), key=lambda row: row[3])
        bench.keep(metric, slowest[3], slowest[4], "ns")
    most = max(rows, key=lambda row: row[5])
    bench.keep("rule_allocs", most[5], most[6], "")


def event(bench):
    say(f"usage events of {RULES} rules and {SIMS} SIMs ...")
    folder = copies(bench, "event", rules_with("fn on_usage"), RULES)
    events = [(row[0], *map(int, row[1:])) for row in inside(bench, "event", folder, SIMS)]
    bench.tell(f"{RULES} rules, {SIMS} SIMs, medians of CPU time:")
    bench.tell(f"{'event':<6} {'asked':>6} {'reminders':>9} {'state ms':>8} {'rules ms':>8} {'state ms':>8} {'all ms':>7} {'us each':>8}")
    totals = {}
    for case in ("first", "quiet", "rings", "rung"):
        of_case = [event[1:] for event in events if event[0] == case]
        asked, standing, before, rules, after = (statistics.median(column) for column in zip(*of_case))
        totals[case] = statistics.median(sum(event[2:]) for event in of_case) / 1000
        parts = " ".join(f"{us / 1000:>8.1f}" for us in (before, rules, after))
        each_us = totals[case] * 1000 / asked
        bench.tell(f"{case:<6} {asked:>6.0f} {standing:>9.0f} {parts} {totals[case]:>7.1f} {each_us:>8.2f}")
    bench.tell("")
    if any(event[1] != RULES * SIMS for event in events if event[0] != "first"):
        raise SystemExit(f"error: not every rule was asked about every SIM: {events}")
    bench.keep("event_1000", round(totals["quiet"], 1), None, "ms")
    bench.keep("event_rings", round(max(totals.values()), 1), None, "ms")


def start(bench):
    say(f"the start with {STARTED} rules and with none ...")
    folders = {0: copies(bench, "start-0", rules_with(""), 0)}
    folders[STARTED] = copies(bench, f"start-{STARTED}", rules_with(""), STARTED)
    room = bench.base / "start"
    room.mkdir()
    address = f"unix:path={room}/bus"
    words = ["dbus-daemon", "--session", "--nofork", f"--address={address}"]
    bus = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    until(lambda: (room / "bus").exists(), "dbus-daemon")
    spans = {count: [] for count in folders}
    for number in range(ROUNDS):
        for count, folder in folders.items():
            spans[count].append(started(bench, room / f"{number}-{count}", folder, count, address))
    bus.terminate()
    bus.wait()
    bench.keep("rules_start", *(round(statistics.median(spans[count]), 1) for count in (STARTED, 0)), "ms")


def started(bench, home, folder, count, address):
    """Milliseconds until a new service tells its rules."""
    (home / "config" / "rules.d").mkdir(parents=True)
    lines = [f'[rules]\nplugin_dirs = ["{folder}"]']
    lines += [f"[plugins.{plugin.name}]\nenabled = true" for plugin in sorted(folder.iterdir())]
    (home / "config" / "simbell.toml").write_text("\n".join(lines) + "\n")
    control = home / "control.sock"
    words = [str(bench.programs / "simbelld"), "--config", str(home / "config"), "--state-dir", str(home / "state")]
    words += ["--socket", str(control), "--bus", address]
    with open(home / "log", "w") as log:
        began = time.perf_counter()
        service = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        told = None
        while told is None:
            try:
                told = ask(control, "ListRules", {})
            except OSError:
                if service.poll() is not None:
                    raise SystemExit(f"error: simbelld ended; see {home / 'log'}")
                time.sleep(0.001)
        spent = (time.perf_counter() - began) * 1000
    running = [rule for rule in pages(control, told) if not rule.get("problem")]
    service.terminate()
    service.wait()
    if len(running) != count:
        raise SystemExit(f"error: {len(running)} rules run, not {count}; see {home / 'log'}")
    return spent


def pages(control, first):
    rules, page = list(first["rules"]), first
    while page.get("next") is not None:
        page = ask(control, "ListRules", {"after": page["next"]})
        rules += page["rules"]
    return rules
