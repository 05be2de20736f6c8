"""What fills the interfaces: a sender, and a sink that holds the peers' network namespace."""

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


def sink():
    """Holds the peers' network namespace, and a port that takes datagrams without a word."""
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    port.bind(("0.0.0.0", 9))
    print("bound", flush=True)
    signal.pause()
