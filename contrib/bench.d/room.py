"""The room of a measurement: interfaces, traffic, modems, the two programs, a disk."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from common import iccid, luhn, run, until

RATE = 1_000_000
CHANNELS = """
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
MAIN = str(Path(__file__).parent / "main.py")


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
        sink = self.start(["unshare", "--net", sys.executable, MAIN, "--sink"], "sink", stdout=subprocess.PIPE)
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

    def modems(self, programs, connected, send=True):
        """N modems on a bus of their own, and, connected, the traffic."""
        self.programs = programs
        lines = ['stats_every = "30s"']
        # The service follows 64 modems at most: beyond, each has several connections, as multiplexed links have.
        self.used = min(self.count, 64)
        for i in range(self.used):
            lines += ["[[sim]]", f'name = "sim{i}"', f'iccid = "{iccid(i)}"', f'imsi = "00101{i:010}"']
        for i in range(self.used):
            lines += ["[[modem]]", f'name = "modem{i}"', f'imei = "{luhn(f"35000000000{i:03}")}"']
            lines += [f'net_port = "veth{i}"', f'slots = [["sim{i}"]]']
        for i in range(self.count if connected else 0):
            of = [f'modem = "modem{i % self.used}"', f'apn = "apn{i // self.used}"']
            lines += ["[[step]]", 'at = "1s"', *of, 'action = "connect"']
            lines += [f'interface = "veth{i}"', "stats = true"]
            lines += ["[[step]]", 'at = "2s"', *of, 'action = "traffic"']
            lines += [f'tx_rate = {RATE // self.count if send else 0}', "rx_rate = 0"]
        scenario = self.dir / "scenario.toml"
        scenario.write_text("\n".join(lines) + "\n")
        program = str(self.programs / "simbell-modemsim")
        words = [program, "lookalike", "--scenario", str(scenario), "--private-bus", "--until-stdin-closes"]
        told = subprocess.PIPE
        modems = self.start(words, "modemsim", stdin=told, stdout=told)
        self.address = json.loads(modems.stdout.readline())["ready"]["address"]
        threading.Thread(target=lambda: [None for _ in modems.stdout], daemon=True).start()
        if connected and send:
            self.start([sys.executable, MAIN, "--send", str(self.count), str(RATE)], "send")

    def vnstatd(self, state, save_minutes=None, lines=""):
        state.mkdir(exist_ok=True)
        config = self.dir / f"vnstat-{state.name}.conf"
        lines = f'DatabaseDir "{state}"\nUseLogging 0\nPidFile "{self.dir}/{state.name}.pid"\n{lines}'
        lines += f"SaveInterval {save_minutes}\n" if save_minutes else ""
        config.write_text(lines)
        return self.start(["vnstatd", "--nodaemon", "--config", str(config)], f"vnstatd-{state.name}").pid

    def simbelld(self, state, counting="", channels=CHANNELS, sims=None):
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
{channels}"""
        for i in range(sims or self.used):
            text += f'[sims.sim{i}]\niccid = "{iccid(i)}"\nplan = {{ data = "100 GB", every = "month", day = 1 }}\n'
        (config / "simbell.toml").write_text(text)
        control = self.dir / f"{state.name}.sock"
        words = [str(self.programs / "simbelld"), "--config", str(config), "--state-dir", str(state)]
        words += ["--socket", str(control), "--bus", self.address]
        clean = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "TZ")} | of_unit()
        process = self.start(words, f"simbelld-{state.name}", env=clean)
        return process.pid, control

    def ready(self, control, process, key):
        """Waits until every SIM is seen in a modem (`active`) or also measured over its bearer (`connected`)."""

        def all_there():
            if Path(f"/proc/{process}").exists() and control.exists():
                sims = ask_sims(control)
                return len(sims) == self.used and all(sim[key] for sim in sims)
            return False

        until(all_there, f"{self.used} SIMs to be {key}; see {self.dir}")

    def leave(self):
        # The sink is the first, and takes the interfaces along: last.
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        until(lambda: not list(Path("/sys/class/net").glob("veth*")), "the interfaces to go")


def of_unit():
    """The environment that the program is given where it is installed."""
    lines = Path("contrib/systemd/simbell.service").read_text().splitlines()
    given = [line.removeprefix("Environment=") for line in lines if line.startswith("Environment=")]
    return dict(one.split("=", 1) for one in given)


def ask_sims(control):
    sims, after = [], None
    try:
        while True:
            page = ask(control, "ListSims", {"after": after})
            sims += page["sims"]
            after = page.get("next")
            if after is None:
                return sims
    except OSError:
        return []


def ask(control, method, parameters):
    """One question to simbelld's socket; OSError where it does not answer."""
    with socket.socket(socket.AF_UNIX) as to:
        to.settimeout(60)
        to.connect(str(control))
        to.sendall(json.dumps({"method": f"org.simbell.Control.{method}", "parameters": parameters}).encode() + b"\0")
        answer = b""
        while not answer.endswith(b"\0"):
            got = to.recv(65536)
            if not got:
                raise ConnectionResetError("simbelld hung up")
            answer += got
    reply = json.loads(answer[:-1])
    if "error" in reply:
        raise SystemExit(f"error: simbelld answers {reply}")
    return reply["parameters"]



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
