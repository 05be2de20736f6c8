"""What is measured of a process: CPU time, memory, switches, system calls."""

import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from common import until


def cpu_ns(pid):
    """CPU time of the whole process, ended threads included: CPUCLOCK_SCHED of the kernel's ABI."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def cpu_hourly(pids, seconds):
    """Seconds of CPU time an hour of each process, in a window."""
    before = [cpu_ns(pid) for pid in pids]
    time.sleep(seconds)
    return [round((cpu_ns(pid) - start) * 3600 / seconds / 1e9, 4) for pid, start in zip(pids, before)]


def memory(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {key: int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M)[1]) for key in ("Rss", "Private_Dirty")}


class Switches(threading.Thread):
    """Voluntary context switches of all threads; looked at every second, since an ended thread takes its own along."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.done, self.last = pid, threading.Event(), {}
        self.look()
        self.first = dict(self.last)

    def look(self):
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                text = (task / "status").read_text()
            except OSError:
                continue
            self.last[task.name] = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[1])

    def run(self):
        while not self.done.wait(1):
            self.look()

    def end(self):
        self.done.set()
        self.join()
        self.look()
        return sum(self.last.values()) - sum(self.first.values())


def syscalls(pids, seconds, room):
    """Of each process, in a window, by `strace -c`."""
    traces = []
    for pid in pids:
        out = room / f"strace-{pid}"
        words = ["strace", "-q", "-f", "-c", "-o", str(out), "-p", str(pid)]
        traces.append((out, subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)))
    for pid in pids:
        until(lambda: all(traced(task) for task in Path(f"/proc/{pid}/task").iterdir()), f"strace of {pid}")
    time.sleep(seconds)
    counts = []
    for out, trace in traces:
        trace.send_signal(signal.SIGINT)
        trace.wait()
        totals = [line.split() for line in out.read_text().splitlines() if line.endswith(" total")]
        counts.append(int(totals[0][3]) if totals else 0)
    return counts


def traced(task):
    return not re.search(r"^TracerPid:\s+0$", (task / "status").read_text(), re.M)
