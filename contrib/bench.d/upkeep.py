"""What an always-on service costs, beside vnstatd.

The workload: N modems of the ModemManager look-alike (on a dbus-daemon of its own), each with a SIM with a plan of
100 GB and a bearer on one of N veth interfaces, through which 1 MB/s pass in all; the bearers tell their Stats every
30 s as ModemManager's do. simbelld runs with its defaults, the shipped rules, and a journal, an e-mail, an ntfy and a
webhook channel; vnstatd with its defaults, on the same interfaces at the same time, in foreground.

cpu_N                user and system time of the process, by its CPU clock (nanoseconds, ended threads included); median of
                     three windows of each, since the clock of a virtual machine also counts while its host does other work
syscalls_N           counted by strace -f -c on both, in a window of its own, since strace slows what it watches
wakeups_idle         voluntary context switches of all threads; 8 modems registered, nothing connected, no traffic
wakeups_connected    the same with 8 bearers connected and far from any threshold
rss, private_dirty   smaps_rollup after all windows of 8 bearers
rss_modemmanager     the same beside ModemManager itself, on a bus of its own and without any modem, which is the least it takes
sample_N             median of one reading of N + 1 links, beside a bare RTM_GETSTATS dump into a fixed buffer
rule_eval            median of asking data-thresholds far from a threshold, beside the bare call of its function
device_writes        sectors written to an ext4 loop device of its own, 8 bearers, at an equal loss window: counters
                     read every 20 s and saved every minute by both (vnstatd's shortest), so that a window has
                     several saves; the limit in bytes out of reach
device_writes_fifth  the same with a fifth of the loss window: read every 4 s, saved every 12 s
"""

import os
import statistics
import subprocess
import time

from common import say, until
from process import Switches, cpu_hourly, memory, syscalls
from room import Disk, Room

# Past the first minute, in which everything is looked at once more than it will be.
SETTLE = 90
CPU_WINDOWS = 3
METRICS = {
    "cpu_8": 0.25, "cpu_64": 0.05, "wakeups_idle": 0.5, "wakeups_connected": 1.0, "syscalls_8": 0.15, "syscalls_64": 0.02,
    "rss": 2.6,
    "rss_modemmanager": 0.85, "private_dirty": (2048, "kB"), "sample_1": 1.5, "sample_64": 1.5, "device_writes": 0.5,
    "device_writes_fifth": 1.0, "rule_eval": None,
}


def measure(bench):
    for count in (1, 64):
        if bench.wants(f"sample_{count}"):
            sample(bench, count)
    if bench.wants("rule_eval"):
        bench.keep("rule_eval", *bench.inside("rule", "plugins/rules"), "ns")
    for count in (8, 64):
        more = ("rss", "rss_modemmanager", "private_dirty", "wakeups_connected") if count == 8 else ()
        if bench.wants(f"cpu_{count}", f"syscalls_{count}", *more):
            busy(bench, count)
    if bench.wants("wakeups_idle"):
        idle(bench)
    if bench.wants("device_writes", "device_writes_fifth"):
        writes(bench)


def sample(bench, count):
    say(f"sample_{count} ...")
    room = Room(bench.base, f"sample{count}", count)
    bench.keep(f"sample_{count}", *bench.inside("sample"), "ns")
    room.leave()


def both(room, key):
    theirs = room.vnstatd(room.dir / "vnstat")
    ours, control = room.simbelld(room.dir / "state")
    room.ready(control, ours, key)
    time.sleep(SETTLE)
    return ours, theirs


def busy(bench, count):
    say(f"{count} bearers: windows of {bench.window} s ...")
    room = Room(bench.base, f"busy{count}", count)
    room.modems(bench.programs, connected=True)
    ours, theirs = both(room, "connected")
    if bench.wants(f"cpu_{count}"):
        bench.keep(f"cpu_{count}", *cpu(bench, [ours, theirs]), "s/h")
    if count == 8 and bench.wants("wakeups_connected"):
        bench.keep("wakeups_connected", *wakeups(bench, [ours, theirs]), "1/min")
    if bench.wants(f"syscalls_{count}"):
        counts = syscalls([ours, theirs], bench.window, room.dir)
        bench.keep(f"syscalls_{count}", *(bench.per_minute(n) for n in counts), "1/min")
    if count == 8 and bench.wants("rss", "rss_modemmanager", "private_dirty"):
        mine, other = memory(ours), memory(theirs)
        bench.keep("rss", mine["Rss"], other["Rss"], "kB")
        if bench.wants("rss_modemmanager"):
            bench.keep("rss_modemmanager", mine["Rss"], modem_manager(room), "kB")
        bench.keep("private_dirty", mine["Private_Dirty"], other["Private_Dirty"], "kB")
    room.leave()


def cpu(bench, pids):
    ours, theirs = zip(*(cpu_hourly(pids, bench.window) for _ in range(CPU_WINDOWS)))
    bench.tell(f"  simbelld {ours}, vnstatd {theirs} s/h")
    return statistics.median(ours), statistics.median(theirs)


def modem_manager(room):
    """Its resident memory."""
    bus = room.start(["dbus-daemon", "--session", "--nofork", "--print-address"], "bus", stdout=subprocess.PIPE)
    address = bus.stdout.readline().decode().strip()
    env = os.environ | {"DBUS_SESSION_BUS_ADDRESS": address, "DBUS_SYSTEM_BUS_ADDRESS": address}
    words = ["ModemManager", "--test-session", "--no-auto-scan"]
    pid = room.start(words, "modemmanager", env=env).pid
    # It has said that it is there, and started what it starts.
    until(lambda: "starting in session bus" in (room.dir / "modemmanager.log").read_text(), "ModemManager")
    time.sleep(5)
    return memory(pid)["Rss"]


def idle(bench):
    say(f"idle: a window of {bench.window} s ...")
    room = Room(bench.base, "idle", 8)
    room.modems(bench.programs, connected=False)
    ours, theirs = both(room, "active")
    bench.keep("wakeups_idle", *wakeups(bench, [ours, theirs]), "1/min")
    room.leave()


def wakeups(bench, pids):
    watches = [Switches(pid) for pid in pids]
    for watch in watches:
        watch.start()
    time.sleep(bench.window)
    return [bench.per_minute(watch.end()) for watch in watches]


def writes(bench):
    say(f"writes to the device: a window of {bench.window} s ...")
    room = Room(bench.base, "writes", 8)
    room.modems(bench.programs, connected=True)
    disks = [Disk(bench.base, name) for name in ("ours", "fifth", "peer")]
    counting = 'sample_every = "{}"\nmax_unsaved_time = "{}"\nmax_unsaved_bytes = "1 TB"'
    ours = room.simbelld(disks[0].mount, counting.format("20s", "60s"))
    fifth = room.simbelld(disks[1].mount, counting.format("4s", "12s"))
    room.vnstatd(disks[2].mount, 1)
    for process, control in (ours, fifth):
        room.ready(control, process, "connected")
    # Beyond the first save, so that both have made their files.
    time.sleep(SETTLE + 60)
    before = [disk.written() for disk in disks]
    time.sleep(bench.window)
    written = [disk.written() - start for disk, start in zip(disks, before)]
    hourly = [round(count * 3600 / bench.window / 1000) for count in written]
    bench.keep("device_writes", hourly[0], hourly[2], "kB/h")
    bench.keep("device_writes_fifth", hourly[1], hourly[2], "kB/h")
    room.leave()
    for disk in disks:
        disk.leave()
