"""Measures simbelld beside vnstatd; started by contrib/bench in network, mount and process namespaces of its own.

The workload: N modems of the ModemManager look-alike (on a dbus-daemon of its own), each with a SIM with a plan of
100 GB and a bearer on one of N veth interfaces, through which 1 MB/s pass in all; the bearers tell their Stats every
30 s as ModemManager's do. simbelld runs with its defaults, the shipped rules, and a journal, an e-mail, an ntfy and a
webhook channel; vnstatd with its defaults, on the same interfaces at the same time, in foreground.

cpu_N                user and system time of the process, by its CPU clock (nanoseconds, ended threads included)
syscalls_N           counted by strace -f -c on both, in a window of its own, since strace slows what it watches
wakeups_idle         voluntary context switches of all threads; 8 modems registered, nothing connected, no traffic
rss, private_dirty   smaps_rollup after the window of cpu_8
sample_N             median of one reading of N + 1 links, beside a bare RTM_GETSTATS dump into a fixed buffer
rule_eval            median of asking data-thresholds far from a threshold, beside the bare call of its function
device_writes        sectors written to an ext4 loop device of its own, 8 bearers, at an equal loss window: counters
                     read every 20 s and saved every minute by both (vnstatd's shortest), so that a window has
                     several saves; the limit in bytes out of reach
device_writes_fifth  the same with a fifth of the loss window: read every 4 s, saved every 12 s
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

RATE = 1_000_000
SETTLE = 30
METRICS = [
    "cpu_8", "cpu_64", "wakeups_idle", "syscalls_8", "syscalls_64", "rss", "private_dirty", "sample_1", "sample_64",
    "device_writes", "device_writes_fifth", "rule_eval",
]
# As ratios, but private_dirty: in kB.
GOALS = {
    "cpu_8": 0.25, "cpu_64": 0.05, "wakeups_idle": 0.5, "syscalls_8": 0.15, "syscalls_64": 0.02, "rss": 2.6,
    "private_dirty": 2048, "sample_1": 1.5, "sample_64": 1.5, "device_writes": 0.5, "device_writes_fifth": 1.0,
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


# What is measured of a process.


def cpu_ns(pid):
    """CPU time of the whole process, ended threads included: CPUCLOCK_SCHED of the kernel's ABI."""
    return time.clock_gettime_ns((~pid << 3) | 2)


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


def until(holds, what, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"error: waited {seconds} s in vain for {what}")
        time.sleep(0.1)


# The room: interfaces, traffic, modems.


def luhn(digits):
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits))]
    return digits + str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def iccid(number):
    return luhn(f"890010000000{number:06}")


class Room:
    """N veth interfaces with their peers in another network namespace; modems and traffic where they are asked for."""

    def __init__(self, base, name, count):
        self.count, self.processes = count, []
        self.dir = base / name
        self.dir.mkdir()
        self.peers()

    def start(self, words, name, **more):
        log = open(self.dir / f"{name}.log", "w")
        more = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log} | more
        process = subprocess.Popen(words, **more)
        self.processes.append(process)
        return process

    def peers(self):
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        sink = self.start(["unshare", "--net", sys.executable, __file__, "--sink"], "sink", stdout=subprocess.PIPE)
        sink.stdout.readline()
        here, there = [], []
        for i in range(self.count):
            near, far = f"02:00:00:00:01:{i:02x}", f"02:00:00:00:02:{i:02x}"
            here += [
                f"link add veth{i} address {near} type veth peer name peer{i} address {far} netns {sink.pid}",
                f"addr add 10.77.{i}.1/30 dev veth{i}",
                f"link set veth{i} up",
                f"neigh add 10.77.{i}.2 lladdr {far} dev veth{i} nud permanent",
            ]
            there += [f"addr add 10.77.{i}.2/30 dev peer{i}", f"link set peer{i} up"]
        self.batch(["ip", "-batch", "-"], here)
        self.batch(["nsenter", "--net", "--target", str(sink.pid), "ip", "-batch", "-"], there)

    @staticmethod
    def batch(words, lines):
        subprocess.run(words, input="\n".join(lines) + "\n", text=True, check=True)

    def modems(self, programs, connected):
        """N modems on a bus of their own, and, connected, the traffic."""
        self.programs = programs
        lines = ['stats_every = "30s"']
        for i in range(self.count):
            lines += ["[[sim]]", f'name = "sim{i}"', f'iccid = "{iccid(i)}"', f'imsi = "00101{i:010}"']
        for i in range(self.count):
            lines += ["[[modem]]", f'name = "modem{i}"', f'imei = "{luhn(f"35000000000{i:03}")}"']
            lines += [f'net_port = "veth{i}"', f'slots = [["sim{i}"]]']
        for i in range(self.count if connected else 0):
            lines += ["[[step]]", 'at = "1s"', f'modem = "modem{i}"', 'action = "connect"']
            lines += [f'interface = "veth{i}"', "stats = true"]
            lines += ["[[step]]", 'at = "2s"', f'modem = "modem{i}"', 'action = "traffic"']
            lines += [f'tx_rate = {RATE // self.count}', "rx_rate = 0"]
        scenario = self.dir / "scenario.toml"
        scenario.write_text("\n".join(lines) + "\n")
        program = str(self.programs / "simbell-modemsim")
        words = [program, "lookalike", "--scenario", str(scenario), "--private-bus", "--until-stdin-closes"]
        told = subprocess.PIPE
        modems = self.start(words, "modemsim", stdin=told, stdout=told)
        self.address = json.loads(modems.stdout.readline())["ready"]["address"]
        threading.Thread(target=lambda: [None for _ in modems.stdout], daemon=True).start()
        if connected:
            self.start([sys.executable, __file__, "--send", str(self.count), str(RATE)], "send")

    def vnstatd(self, state, save_minutes=None):
        state.mkdir(exist_ok=True)
        config = self.dir / f"vnstat-{state.name}.conf"
        lines = [f'DatabaseDir "{state}"', "UseLogging 0", f'PidFile "{self.dir}/vnstat.pid"']
        lines += [f"SaveInterval {save_minutes}"] if save_minutes else []
        config.write_text("\n".join(lines) + "\n")
        return self.start(["vnstatd", "--nodaemon", "--config", str(config)], f"vnstatd-{state.name}").pid

    def simbelld(self, state, counting=""):
        state.mkdir(exist_ok=True)
        config = self.dir / f"config-{state.name}"
        (config / "rules.d").mkdir(parents=True)
        text = f"""
[service]
clock = "plausible"
[counting]
{counting}
[rules]
plugin_dirs = ["{Path.cwd()}/plugins/rules"]
[channels.log]
kind = "journal"
[channels.mail]
kind = "email"
host = "127.0.0.1"
tls = "none"
from = "simbell@example.org"
to = ["me@example.org"]
[channels.push]
kind = "ntfy"
url = "http://127.0.0.1:9"
topic = "bench"
[channels.hook]
kind = "webhook"
url = "http://127.0.0.1:9/hook"
"""
        for i in range(self.count):
            text += f'[sims.sim{i}]\niccid = "{iccid(i)}"\nplan = {{ data = "100 GB", every = "month", day = 1 }}\n'
        (config / "simbell.toml").write_text(text)
        control = self.dir / f"{state.name}.sock"
        words = [str(self.programs / "simbelld"), "--config", str(config), "--state-dir", str(state)]
        words += ["--socket", str(control), "--bus", self.address]
        clean = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "TZ")}
        process = self.start(words, f"simbelld-{state.name}", env=clean)
        return process.pid, control

    def ready(self, control, process, key):
        """Waits until every SIM is seen in a modem (`active`) or also measured over its bearer (`connected`)."""

        def all_there():
            if Path(f"/proc/{process}").exists() and control.exists():
                sims = ask_sims(control)
                return len(sims) == self.count and all(sim[key] for sim in sims)
            return False

        until(all_there, f"{self.count} SIMs to be {key}; see {self.dir}")

    def leave(self):
        # The sink is the first, and takes the interfaces along: last.
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        until(lambda: not list(Path("/sys/class/net").glob("veth*")), "the interfaces to go")


def ask_sims(control):
    sims, after = [], None
    try:
        with socket.socket(socket.AF_UNIX) as to:
            to.settimeout(10)
            to.connect(str(control))
            while True:
                question = {"method": "org.simbell.Control.ListSims", "parameters": {"after": after}}
                to.sendall(json.dumps(question).encode() + b"\0")
                answer = b""
                while not answer.endswith(b"\0"):
                    got = to.recv(65536)
                    if not got:
                        return []
                    answer += got
                page = json.loads(answer[:-1])
                if "error" in page:
                    raise SystemExit(f"error: simbelld answers {page}")
                page = page["parameters"]
                sims += page["sims"]
                after = page.get("next")
                if after is None:
                    return sims
    except OSError:
        return []


def send(count, rate):
    """Datagrams of 1,428 bytes as IP counts them, in turn over the interfaces, at `rate` bytes a second in all."""
    payload = bytes(1400)
    ways = []
    for i in range(count):
        way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        way.connect((f"10.77.{i}.2", 9))
        ways.append(way)
    began, sent, turn = time.monotonic(), 0, 0
    while True:
        owed = (time.monotonic() - began) * rate
        while sent < owed:
            ways[turn % count].send(payload)
            turn, sent = turn + 1, sent + 1428
        time.sleep(0.01)


def sink():
    """Holds the peers' network namespace, and a port that takes datagrams without a word."""
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    port.bind(("0.0.0.0", 9))
    print("bound", flush=True)
    signal.pause()


class Disk:
    """An ext4 file system on a loop device of its own."""

    def __init__(self, base, name):
        image, self.mount = base / f"{name}.img", base / name
        with open(image, "wb") as file:
            file.truncate(64 * 1024 * 1024)
        self.mount.mkdir()
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
        run("mount", "-o", "loop", str(image), str(self.mount))
        shown = subprocess.run(["losetup", "-n", "-O", "NAME", "-j", str(image)], capture_output=True, text=True)
        self.stat = Path("/sys/block") / Path(shown.stdout.split()[0]).name / "stat"

    def written(self):
        run("sync", "-f", str(self.mount))
        return int(self.stat.read_text().split()[6]) * 512

    def leave(self):
        run("umount", str(self.mount))


class Bench:
    def __init__(self, programs, base, window, wanted):
        self.programs, self.base, self.window, self.wanted = programs, base, window, wanted
        self.found = {}

    def wants(self, *metrics):
        return any(metric in self.wanted for metric in metrics)

    def keep(self, metric, ours, peer, unit):
        if metric in self.wanted:
            ratio = round(ours / peer, 4) if peer else None
            self.found[metric] = {"metric": metric, "ours": ours, "peer": peer, "ratio": ratio, "unit": unit}

    def per_minute(self, count):
        return round(count * 60 / self.window, 1)

    def all(self):
        for count in (1, 64):
            if self.wants(f"sample_{count}"):
                self.sample(count)
        if self.wants("rule_eval"):
            self.keep("rule_eval", *self.inside("rule", "plugins/rules"), "ns")
        for count in (8, 64):
            if self.wants(f"cpu_{count}", f"syscalls_{count}") or count == 8 and self.wants("rss", "private_dirty"):
                self.busy(count)
        if self.wants("wakeups_idle"):
            self.idle()
        if self.wants("device_writes", "device_writes_fifth"):
            self.writes()

    def inside(self, *words):
        program = str(self.programs / "examples" / "bench_inside")
        told = subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout
        return [int(word) for word in told.split()]

    def sample(self, count):
        say(f"sample_{count} ...")
        room = Room(self.base, f"sample{count}", count)
        self.keep(f"sample_{count}", *self.inside("sample"), "ns")
        room.leave()

    def both(self, room, key):
        theirs = room.vnstatd(room.dir / "vnstat")
        ours, control = room.simbelld(room.dir / "state")
        room.ready(control, ours, key)
        time.sleep(SETTLE)
        return ours, theirs

    def busy(self, count):
        say(f"{count} bearers: windows of {self.window} s ...")
        room = Room(self.base, f"busy{count}", count)
        room.modems(self.programs, connected=True)
        ours, theirs = self.both(room, "connected")
        if self.wants(f"cpu_{count}", "rss", "private_dirty"):
            before = cpu_ns(ours), cpu_ns(theirs)
            time.sleep(self.window)
            spent = cpu_ns(ours) - before[0], cpu_ns(theirs) - before[1]
            self.keep(f"cpu_{count}", *(round(ns * 3600 / self.window / 1e9, 4) for ns in spent), "s/h")
            if count == 8:
                mine, other = memory(ours), memory(theirs)
                self.keep("rss", mine["Rss"], other["Rss"], "kB")
                self.keep("private_dirty", mine["Private_Dirty"], other["Private_Dirty"], "kB")
        if self.wants(f"syscalls_{count}"):
            counts = syscalls([ours, theirs], self.window, room.dir)
            self.keep(f"syscalls_{count}", *(self.per_minute(n) for n in counts), "1/min")
        room.leave()

    def idle(self):
        say(f"idle: a window of {self.window} s ...")
        room = Room(self.base, "idle", 8)
        room.modems(self.programs, connected=False)
        ours, theirs = self.both(room, "active")
        watches = [Switches(ours), Switches(theirs)]
        for watch in watches:
            watch.start()
        time.sleep(self.window)
        self.keep("wakeups_idle", *(self.per_minute(watch.end()) for watch in watches), "1/min")
        room.leave()

    def writes(self):
        say(f"writes to the device: a window of {self.window} s ...")
        room = Room(self.base, "writes", 8)
        room.modems(self.programs, connected=True)
        disks = [Disk(self.base, name) for name in ("ours", "fifth", "peer")]
        counting = 'sample_every = "{}"\nmax_unsaved_time = "{}"\nmax_unsaved_bytes = "1 TB"'
        ours = room.simbelld(disks[0].mount, counting.format("20s", "60s"))
        fifth = room.simbelld(disks[1].mount, counting.format("4s", "12s"))
        room.vnstatd(disks[2].mount, 1)
        for process, control in (ours, fifth):
            room.ready(control, process, "connected")
        # Beyond the first save, so that both have made their files.
        time.sleep(SETTLE + 60)
        before = [disk.written() for disk in disks]
        time.sleep(self.window)
        written = [disk.written() - start for disk, start in zip(disks, before)]
        hourly = [round(count * 3600 / self.window / 1000) for count in written]
        self.keep("device_writes", hourly[0], hourly[2], "kB/h")
        self.keep("device_writes_fifth", hourly[1], hourly[2], "kB/h")
        room.leave()
        for disk in disks:
            disk.leave()


def table(found, window):
    print(f"8 and 64 bearers of the look-alike on veth interfaces, 1 MB/s in all, windows of {window} s.\n")
    print(f"{'metric':<20} {'simbelld':>10} {'vnstatd *':>10} {'unit':<6} {'ratio':>8}  goal")
    for metric, row in found.items():
        goal = GOALS.get(metric)
        reached, shown = row["ratio"], f"<= {goal}"
        if metric == "private_dirty":
            reached, shown = row["ours"], f"<= {goal} kB"
        verdict = "" if goal is None else shown + ("" if reached is not None and reached <= goal else "  MISSED")
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3f}"
        print(f"{metric:<20} {row['ours']:>10} {row['peer']:>10} {row['unit']:<6} {ratio:>8}  {verdict}")
    print("\n* of sample_*: the bare RTM_GETSTATS dump; of rule_eval: the bare call of the compiled function.")


def main():
    words = argparse.ArgumentParser(prog="contrib/bench")
    words.add_argument("programs", type=Path)
    words.add_argument("--quick", action="store_true")
    words.add_argument("--json", action="store_true")
    words.add_argument("--only", default=",".join(METRICS))
    asked = words.parse_args()
    wanted = [metric for metric in asked.only.split(",") if metric]
    unknown = [metric for metric in wanted if metric not in METRICS]
    if unknown or not wanted:
        words.error(f"--only takes metrics of: {' '.join(METRICS)}")
    # The interfaces of this network namespace, not of the one the program was called in.
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    run("ip", "link", "set", "lo", "up")
    base = Path(tempfile.mkdtemp(prefix="simbell-bench."))
    window = 60 if asked.quick else 300
    bench = Bench(asked.programs, base, window, wanted)
    try:
        bench.all()
    except BaseException:
        say(f"what the programs said is kept in {base}")
        raise
    shutil.rmtree(base)
    found = {metric: bench.found[metric] for metric in wanted}
    if asked.json:
        for row in found.values():
            print(json.dumps(row))
    else:
        table(found, window)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send"]:
        send(int(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["--sink"]:
        sink()
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        main()
