"""A link of type PPP (ARPHRD_PPP), as pppd makes one: a tun device told to be one, in a network namespace of the lab.

Says "ready" once it is up. A line "rx N" has a packet of N bytes come in over it; what is sent over it is taken.
"""

import fcntl
import os
import stat
import struct
import subprocess
import sys
import tempfile
import threading

TUNSETIFF, TUNSETLINK = 0x400454CA, 0x400454CD
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
ARPHRD_PPP = 512

name = sys.argv[1]
# The lab has a /dev of its own.
node = os.path.join(tempfile.mkdtemp(), "tun")
os.mknod(node, stat.S_IFCHR | 0o600, os.makedev(10, 200))
device = os.open(node, os.O_RDWR)
os.unlink(node)
fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
fcntl.ioctl(device, TUNSETLINK, ARPHRD_PPP)
for command in (
    f"link set {name} addrgenmode none multicast off",
    f"address add 10.98.0.1 peer 10.98.0.2 dev {name}",
    f"link set {name} up",
):
    subprocess.run(["ip", *command.split()], check=True)


def take():
    while True:
        os.read(device, 2048)


threading.Thread(target=take, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    length = int(line.split()[1])
    # An IPv4 header for nobody in particular: 10.98.0.2 to 10.98.0.1, protocol 253 (for experiments, RFC 3692).
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 253, 0, b"\x0a\x62\x00\x02", b"\x0a\x62\x00\x01")
    os.write(device, header + bytes(length - len(header)))
    print("in", flush=True)
