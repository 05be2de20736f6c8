"""Instructions of inner operations by callgrind: the figure that repeats, whatever else the machine does.

Each operation is run so many times and so many times more; what the second run took more, divided by the difference,
is one operation without its beginnings. Instructions of the process alone: the kernel's part of a system call is not
in it. There is no peer.

instr_sample_N       one reading of N + 1 links
instr_commit         one commit of one connection's growth
instr_rule           asking data-thresholds far from a threshold
instr_step_N         one reading of the links of N SIMs' connections, as the core takes it in: State::step
instr_seen_64        one modem of 64 tells other figures of its connection: State::step
"""

import re
import subprocess

from common import say
from room import Room

FEW, MANY = 100, 600
METRICS = {
    "instr_sample_1": None, "instr_sample_64": None, "instr_commit": None, "instr_rule": None, "instr_step_1": None,
    "instr_step_64": None, "instr_seen_64": None,
}


def measure(bench):
    if bench.wants(*METRICS):
        say("instructions under callgrind ...")
    for count in (1, 64):
        if bench.wants(f"instr_sample_{count}"):
            room = Room(bench.base, f"instr{count}", count)
            keep(bench, f"instr_sample_{count}", "sample")
            room.leave()
    if bench.wants("instr_commit"):
        keep(bench, "instr_commit", "commit", lambda times: [str(bench.base / f"ledger-{times}.db")])
    if bench.wants("instr_rule"):
        keep(bench, "instr_rule", "rule", lambda times: ["plugins/rules"])
    for count in (1, 64):
        if bench.wants(f"instr_step_{count}"):
            keep(bench, f"instr_step_{count}", "step", lambda times: [str(count)])
    if bench.wants("instr_seen_64"):
        keep(bench, "instr_seen_64", "seen", lambda times: ["64"])


def keep(bench, metric, operation, more=lambda times: []):
    few, many = (count(bench, [operation, str(times), *more(times)]) for times in (FEW, MANY))
    bench.keep(metric, round((many - few) / (MANY - FEW)), None, "Ir")


def count(bench, words):
    """Instructions of the whole run: callgrind's total."""
    program = str(bench.programs / "examples" / "bench_instructions")
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, *words]
    told = subprocess.run(valgrind, capture_output=True, text=True)
    total = re.search(r"Collected : (\d+)", told.stderr)
    if told.returncode != 0 or total is None:
        raise SystemExit(f"error: {' '.join(valgrind)} failed: {told.stderr}")
    return int(total[1])
