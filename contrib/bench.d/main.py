"""Measures simbelld beside vnstatd; started by contrib/bench in network, mount and process namespaces of its own.

Each module that has METRICS measures some figures and says how: upkeep, history, instructions, rules, latency, gigabit.
METRICS names them with their goals: the greatest ratio of ours to the peer's; or, as (figure, unit), the greatest
figure of ours; or none.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gigabit
import history
import instructions
import latency
import rules
import upkeep
from common import run, say
from resident import resident, watch
from scale import scale
from traffic import cross, fill, send, sink

ROOMS = [upkeep, history, instructions, rules, latency, gigabit]
GOALS = {metric: goal for room in ROOMS for metric, goal in room.METRICS.items()}
# With what some figures are told to grow, and for how many of it they are taken.
GROWTH = [
    ("interfaces", "sample", 1, 64), ("interfaces", "cpu", 8, 64), ("interfaces", "syscalls", 8, 64),
    ("SIMs", "instr_step", 1, 64),
]


class Bench:
    """What is to be measured, and what was found."""

    def __init__(self, programs, base, window, wanted, seed, tell):
        self.programs, self.base, self.window, self.wanted, self.seed = programs, base, window, wanted, seed
        # What is said beside the figures, and what of it last: how they grow.
        self.tell, self.grown = tell, []
        self.found = {}

    def wants(self, *metrics):
        return any(metric in self.wanted for metric in metrics)

    def keep(self, metric, ours, peer, unit):
        if metric in self.wanted:
            ratio = round(ours / peer, 6) if peer else None
            self.found[metric] = {"metric": metric, "ours": ours, "peer": peer, "ratio": ratio, "unit": unit}

    def per_minute(self, count):
        return round(count * 60 / self.window, 1)

    def inside(self, *words):
        """What daemon/examples/bench_inside prints: numbers."""
        program = str(self.programs / "examples" / "bench_inside")
        told = subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout
        return [int(word) for word in told.split()]


def verdict(row):
    goal = GOALS[row["metric"]]
    if goal is None:
        return ""
    reached, most, unit = (row["ours"], goal[0], f" {goal[1]}") if isinstance(goal, tuple) else (row["ratio"], goal, "")
    return f"<= {most:g}{unit}" + ("" if reached is not None and reached <= most else "  MISSED")


def table(found, window):
    print(f"8 and 64 bearers of the look-alike on veth interfaces, 1 MB/s in all, windows of {window} s.\n")
    print(f"{'metric':<20} {'simbelld':>10} {'peer *':>12} {'unit':<6} {'ratio':>9}  goal")
    for metric, row in found.items():
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.4g}"
        peer = "-" if row["peer"] is None else row["peer"]
        print(f"{metric:<20} {row['ours']:>10} {peer:>12} {row['unit']:<6} {ratio:>9}  {verdict(row)}")
    print("\n* vnstatd; of rss_modemmanager: that; of sample_*: the bare RTM_GETSTATS dump; of rule_*: the bare call of")
    print("  the compiled function; of rules_start: the start without rules.")


def growth(bench):
    """How cost grows with interfaces, SIMs and years, as far as it was measured."""
    lines = []
    for what, metric, few, many in GROWTH:
        rows = [bench.found.get(f"{metric}_{count}") for count in (few, many)]
        if all(rows):
            ours, peer = (" -> ".join(str(row[of]) for row in rows) for of in ("ours", "peer"))
            beside = "" if rows[0]["peer"] is None else f"  beside {peer}"
            lines.append(f"{what:<10} {few} -> {many:<4} {metric:<10} {ours} {rows[0]['unit']}{beside}")
    lines += bench.grown
    if lines:
        bench.tell("\nHow cost grows:\n" + "\n".join(lines))


def show(what, count, figures):
    parts = (f"{name} {' beside '.join(map(str, both))}" for name, both in figures.items())
    print(f"{count:>4} {what:<10} {', '.join(parts)}", flush=True)


def show_json(what, count, figures):
    print(json.dumps({"scale": what, "of": count, "figures": figures}), flush=True)


def main():
    words = argparse.ArgumentParser(prog="contrib/bench")
    words.add_argument("programs", type=Path)
    words.add_argument("--quick", action="store_true")
    words.add_argument("--json", action="store_true")
    words.add_argument("--scale", action="store_true")
    words.add_argument("--resident", action="store_true")
    words.add_argument("--seed", type=int, default=int(time.time()))
    words.add_argument("--only", default=",".join(GOALS))
    asked = words.parse_args()
    wanted = [metric for metric in asked.only.split(",") if metric]
    unknown = [metric for metric in wanted if metric not in GOALS]
    if unknown or not wanted:
        words.error(f"--only takes metrics of: {' '.join(GOALS)}")
    # The interfaces of this network namespace, not of the one the program was called in.
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    run("ip", "link", "set", "lo", "up")
    base = Path(tempfile.mkdtemp(prefix="simbell-bench."))
    window = 60 if asked.quick else 300
    bench = Bench(asked.programs, base, window, wanted, asked.seed, say if asked.json else print)
    try:
        if asked.scale:
            scale(bench, show_json if asked.json else show)
        elif asked.resident:
            resident(bench)
        else:
            for room in ROOMS:
                room.measure(bench)
    except BaseException:
        say(f"what the programs said is kept in {base}")
        raise
    shutil.rmtree(base)
    if asked.scale or asked.resident:
        return
    found = {metric: bench.found[metric] for metric in wanted}
    if asked.json:
        for row in found.values():
            print(json.dumps(row))
    else:
        table(found, window)
    growth(bench)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send"]:
        send(int(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["--cross"]:
        cross(int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
    elif sys.argv[1:2] == ["--fill"]:
        fill(*map(int, sys.argv[2:5]), sys.argv[5])
    elif sys.argv[1:2] == ["--sink"]:
        sink()
    elif sys.argv[1:2] == ["--watched"]:
        watch(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        main()
