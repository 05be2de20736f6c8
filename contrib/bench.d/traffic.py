"""What fills the interfaces: a sender, and a sink that holds the peers' network namespace."""

import json
import signal
import socket
import time
from pathlib import Path


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


def cross(rate, out, crossing):
    """As `send`; writes when, by CLOCK_MONOTONIC, each interface sent the packet of its number, once all have."""
    payload, count = bytes(1400), len(crossing)
    ways = []
    for i in range(count):
        way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        way.connect((f"10.77.{i}.2", 9))
        ways.append(way)
    instants, left, packets = [None] * count, count, 0
    began = time.monotonic()
    while True:
        owed = (time.monotonic() - began) * rate / 1428
        while packets < owed:
            at, nth = packets % count, packets // count + 1
            now = time.monotonic_ns()
            ways[at].send(payload)
            packets += 1
            if nth == crossing[at]:
                instants[at], left = now, left - 1
                if left == 0:
                    Path(out).write_text(json.dumps(instants) + "\n")
        time.sleep(0.002)


def fill(number, rate, away, out):
    """Fills one interface at `rate` bytes a second as IP counts them, until two seconds past the frame that brings it
    `away` bytes further; writes when that was, by CLOCK_MONOTONIC, and the rate that was reached."""
    # 40 fragments: each call hands over many full frames.
    payload = bytes(40 * 1480 - 8)
    way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    way.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    way.connect((f"10.77.{number}.2", 9))
    counters = [open(f"/sys/class/net/veth{number}/statistics/tx_{what}") for what in ("bytes", "packets")]

    def passed():
        both = []
        for file in counters:
            file.seek(0)
            both.append(int(file.read()))
        return both[0] - 14 * both[1]

    start = passed()
    began, done, crossed = time.monotonic_ns(), 0, None
    while crossed is None or time.monotonic_ns() < crossed + 2_000_000_000:
        owed = (time.monotonic_ns() - began) * rate // 1_000_000_000
        while done < owed:
            way.send(payload)
            done = passed() - start
            if crossed is None and done >= away:
                crossed = time.monotonic_ns()
        time.sleep(0.0005)
    reached = done * 1_000_000_000 // (time.monotonic_ns() - began)
    Path(out).write_text(json.dumps({"crossed": crossed, "rate": reached}))


def sink():
    """Holds the peers' network namespace, and a port that takes datagrams without a word."""
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    port.bind(("0.0.0.0", 9))
    print("bound", flush=True)
    signal.pause()
