"""From the packet that crosses a threshold to the push that says so.

64 SIMs with a plan of 100 GB, each used to just below 80% of it; datagrams pass over all 64 interfaces at 1 MB/s in
all, so that each SIM crosses at an instant of its own, random in five minutes. The sender notes the instant of the
packet that crosses. All of these watch the same packets in the same run, each delivers to the same HTTP server:

latency_p50, _p99          simbelld with its defaults, no privilege: to its push (the rule data-thresholds, ntfy) being
                           received; the peer: vnstatd with its defaults (saves every 5 minutes) and `vnstat --alert`
                           in a loop, run for every interface as soon as vnstatd has saved, then a push
latency_quota_p50, _p99    simbelld with the quota helper; the same peer
latency_short_p50, _p99    simbelld with its defaults; the peer at vnstatd's shortest settings (SaveInterval 1,
                           UpdateInterval 2, PollInterval 2)

latency_raised_p50, _p99, and latency_quota_raised_p50, _p99: the same two until the instant that the reminder bears, to
the millisecond, whatever its way to the server takes; the same peer.

Percentiles by nearest rank: of 64 crossings p99 is the worst.
"""

import http.server
import json
import math
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from common import iccid, say, until
from room import MAIN, RATE, Room, ask

COUNT = 64
# Frames as IP counts them, and as vnstatd does, with their Ethernet header.
PACKET, FRAME = 1428, 1442
THRESHOLD = 80_000_000_000
METRICS = {
    "latency_p50": 0.01, "latency_p99": None, "latency_quota_p50": 0.001, "latency_quota_p99": None,
    "latency_short_p50": None, "latency_short_p99": None, "latency_raised_p50": None, "latency_raised_p99": None,
    "latency_quota_raised_p50": None, "latency_quota_raised_p99": None,
}
QUOTA = [metric for metric in METRICS if "quota" in metric]
SHORT = [metric for metric in METRICS if "short" in metric]


def measure(bench):
    if not bench.wants(*METRICS):
        return
    # As long as vnstatd holds back by default; alone, its shortest settings need no more than a minute.
    default = bench.wants(*(metric for metric in METRICS if metric not in SHORT))
    window = 300 if default else 60
    seed = bench.seed
    say(f"latency: {COUNT} crossings in {window} s, the last alert some minutes later; seed {seed} ...")
    chance = random.Random(seed)
    each = RATE / COUNT / PACKET
    # Which packet of each interface crosses.
    crossing = [max(2, round(chance.uniform(1, window) * each)) for _ in range(COUNT)]
    room = Room(bench.base, "latency", COUNT)
    pushes = Pushes()
    room.modems(bench.programs, connected=True, send=False)
    peers = [Peer(room, "vnstat", "", crossing, pushes)] if default else []
    if bench.wants(*SHORT):
        lines = "SaveInterval 1\nUpdateInterval 2\nPollInterval 2\n"
        peers.append(Peer(room, "vnstat-short", lines, crossing, pushes))
    ours = ["plain"] + (["quota"] if bench.wants(*QUOTA) else [])
    for name in ours:
        start_ours(room, name, pushes, crossing)
    for peer in peers:
        peer.start()
    instants = send(room, crossing)
    names = ours + [peer.name for peer in peers]
    done = lambda: all(len(pushes.seen(name)) == COUNT for name in names)
    try:
        until(done, "every alert", 2 * window + 120)
    except SystemExit:
        say("alerts so far: " + ", ".join(f"{name} {len(pushes.seen(name))}" for name in names))
        raise
    room.leave()
    told = {name: pushes.seen(name) for name in names} | {f"{name} raised": raised(room.dir / name) for name in ours}
    took = {}
    for name, seen in told.items():
        took[name] = sorted(seen[i] - instants[i] for i in range(COUNT))
        # Reminders bear milliseconds.
        if took[name][0] < (-1_000_000 if "raised" in name else 0):
            raise SystemExit(f"error: {name} alerted before the crossing: {took[name][0]} ns")
    for metric, our, peer in [
        ("latency", "plain", "vnstat"), ("latency_quota", "quota", "vnstat"), ("latency_short", "plain", "vnstat-short"),
        ("latency_raised", "plain raised", "vnstat"), ("latency_quota_raised", "quota raised", "vnstat"),
    ]:
        for percent in (50, 99):
            if our in took and peer in took:
                figures = (round(rank(took[who], percent) / 1e6, 3) for who in (our, peer))
                bench.keep(f"{metric}_p{percent}", *figures, "ms")


def raised(state):
    """When each SIM's reminder was raised, by CLOCK_MONOTONIC."""
    ahead = time.time_ns() - time.monotonic_ns()
    ledger = sqlite3.connect(state / "ledger.db")
    rows = ledger.execute("SELECT iccid, raised_ms FROM reminder WHERE rule = 'data-thresholds' AND key LIKE '%/data-80/%'")
    number = {iccid(i): i for i in range(COUNT)}
    instants = {number[whose]: at * 1_000_000 - ahead for whose, at in rows}
    ledger.close()
    if len(instants) != COUNT:
        raise SystemExit(f"error: {len(instants)} of {COUNT} reminders are in the ledger of {state}")
    return instants


def rank(ordered, percent):
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def start_ours(room, name, pushes, crossing):
    counting = ""
    if name == "quota":
        control = room.dir / "helper.sock"
        words = [str(room.programs / "simbell-quota"), "--socket", str(control), "--user", "root"]
        room.start(words, "quota")
        until(control.exists, "simbell-quota")
        counting = f'quota = "{control}"'
    channels = f'[channels.push]\nkind = "ntfy"\nurl = "http://127.0.0.1:{pushes.port}/{name}"\ntopic = "bench"\n'
    process, control = room.simbelld(room.dir / name, counting, channels)
    room.ready(control, process, "connected")
    for i in range(COUNT):
        bytes_now = THRESHOLD - crossing[i] * PACKET
        ask(control, "SetUsage", {"sim": f"sim{i}", "bytes": bytes_now, "reason": "bench"})
    # Past 50% all are told of it: then the way to the server is open, and what comes next is the crossing.
    until(lambda: len(pushes.seen(name)) == COUNT, f"{name}: every SIM's 50%", 120)
    pushes.forget(name)


def send(room, crossing):
    """Has the sender begin; gives the instants of the crossings as it told them, in order of the interfaces."""
    out = room.dir / "crossings"
    words = [sys.executable, MAIN, "--cross", str(RATE), str(out), json.dumps(crossing)]
    sender = room.start(words, "cross")
    instants = lambda: out.exists() and out.read_text().endswith("\n")
    while not instants():
        if sender.poll() is not None:
            raise SystemExit(f"error: the sender ended; see {room.dir}")
        time.sleep(1)
    return json.loads(out.read_text())


class Pushes:
    """An HTTP server that notes when a push for a SIM is there: by ntfy's JSON, or as /peer?sim."""

    def __init__(self):
        notes, lock = {}, threading.Lock()
        self.notes, self.lock = notes, lock

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                now = time.monotonic_ns()
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")
                name = self.path.strip("/").split("/")[0]
                said = re.search(r"sim(\d+): .* of the data used", body)
                if said:
                    with lock:
                        notes.setdefault(name, {}).setdefault(int(said[1]), now)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def seen(self, name):
        with self.lock:
            return dict(self.notes.get(name, {}))

    def forget(self, name):
        with self.lock:
            self.notes[name] = {}


class Peer(threading.Thread):
    """vnstatd, and `vnstat --alert` for every interface that has not alerted, as soon as vnstatd has saved."""

    def __init__(self, room, name, lines, crossing, pushes):
        super().__init__(daemon=True)
        self.name, self.crossing, self.pushes = name, crossing, pushes
        self.state = room.dir / name
        room.vnstatd(self.state, lines=lines)
        self.config = room.dir / f"vnstat-{name}.conf"
        until(lambda: len(self.asked("--dbiflist", "1").split()) >= COUNT, "vnstatd to have every interface")

    def run(self):
        left, last = set(range(COUNT)), None
        while left:
            now = self.saved()
            if now == last:
                time.sleep(0.05)
                continue
            last = now
            for i in sorted(left):
                limit = self.crossing[i] * FRAME - 1
                # 3: says something where the limit is exceeded; but errors too are exit statuses and output.
                if self.asked("-i", f"veth{i}", "--alert", "3", "0", "y", "tx", str(limit), "B"):
                    body = f"sim{i}: 80% of the data used".encode()
                    urllib.request.urlopen(f"http://127.0.0.1:{self.pushes.port}/{self.name}", data=body).read()
                    left.discard(i)

    def asked(self, *words):
        told = subprocess.run(["vnstat", "--config", str(self.config), *words], capture_output=True, text=True)
        return told.stdout if told.returncode == 0 and "Error" not in told.stdout else ""

    def saved(self):
        return [file.stat().st_mtime_ns for file in sorted(Path(self.state).glob("vnstat.db*"))]
