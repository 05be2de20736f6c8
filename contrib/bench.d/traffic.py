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


def sink():
    """Holds the peers' network namespace, and a port that takes datagrams without a word."""
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    port.bind(("0.0.0.0", 9))
    print("bound", flush=True)
    signal.pause()
