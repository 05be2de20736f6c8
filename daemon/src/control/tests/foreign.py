"""Introspects the control socket with the varlink package and calls every method; compares with the raw messages.

usage: foreign.py SOCKET
A spelling that differs between the types and the description shows here: the package drops what the description
does not name.
"""
import json
import socket
import sys

try:
    import varlink
except ImportError:
    sys.exit("the Python package varlink is missing: install it with `pip install varlink`")

path = sys.argv[1]
CALLS = {
    "GetVersion": {"client": "9.9.9"},
    "GetStatus": {},
    "ListSims": {},
    "GetUsage": {"sim": "home", "by": "hour", "limit": 3},
    "SetUsage": {"sim": "home", "bytes": 6000000000, "reason": "before the installation"},
    "ListPlans": {},
    "ShowPlan": {"sim": "home"},
    "ListRules": {},
    "ListReminders": {},
    "Acknowledge": {"key": "data-threshold/80/0011"},
    "Snooze": {"key": "data-threshold/80/0011", "seconds": 7200},
    "ListChannels": {},
    "TestChannel": {"name": "mail"},
    "Monitor": None,
    "Reload": {},
    "BugReport": None,
    "ExportUsage": None,
    "CreateBackup": {},
    "ListBackups": {},
    "RestoreBackup": {"name": "daily-20261121T040000Z.db"},
    "ExplainUsage": {"sim": "home"},
    "ImportUsage": {"sim": "home", "interface": "wwan0", "rows": [{"start": "2026-11-01T00:00", "span": "day", "rx_bytes": 7, "tx_bytes": 8}]},
    "UndoImport": {"sim": "home", "interface": "wwan0"},
    "GetBilled": {"sim": "home", "by": "cycle"},
    "ListCorrections": {"sim": "home"},
    "UndoCorrection": {"id": 1, "reason": "typed wrong"},
    "ListObservations": {},
    "ObserveUsage": {"sim": "home", "bytes": 5160000000, "note": "from the carrier's page"},
    "WithdrawObservation": {"id": 1, "note": "typed wrong"},
    "GetCalls": {"by": "day"},
    "GetMessages": {"by": "day"},
    "ExplainReminder": {"key": "data-threshold"},
    "ResumeRule": {"name": "my-rule"},
    "ListPlugins": {},
    "EnablePlugin": {"name": "helper", "approve": ["send-sms"]},
    "DisablePlugin": {"name": "helper"},
    "ApprovePlugin": {"name": "helper", "approve": ["send-sms"]},
}


def raw(method, parameters, more=False):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        call = {"method": "org.simbell.Control." + method, "parameters": parameters}
        if more:
            call["more"] = True
        sock.sendall(json.dumps(call).encode() + b"\0")
        data = b""
        while b"\0" not in data:
            data += sock.recv(65536)
        return json.loads(data.split(b"\0")[0])["parameters"]


def plain(value):
    """Without nulls: the package leaves them out."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return value


client = varlink.Client.new_with_address("unix:" + path)
interfaces = client.get_interfaces()
assert "org.simbell.Control" in client.get_interfaces(), interfaces
described = client.get_interface("org.simbell.Control")
methods = [m for m in described.members.values() if type(m).__name__ == "_Method"]
assert sorted(m.name for m in methods) == sorted(CALLS), [m.name for m in methods]

with client.open("org.simbell.Control") as control:
    for name, parameters in CALLS.items():
        if parameters is None:
            continue
        ours = plain(getattr(control, name)(**parameters))
        theirs = plain(raw(name, parameters))
        assert ours == theirs, (name, ours, theirs)

with client.open("org.simbell.Control") as control:
    events = []
    for event in control.Monitor(_more=True):
        events.append(plain(event))
        if event["event"] == "ready":
            break
    assert [e["event"] for e in events] == ["service", "sim", "sim", "reminder", "channel", "ready"], events
    assert events[0] == plain(raw("Monitor", {}, more=True)), events[0]

with client.open("org.simbell.Control") as control:
    text = "".join(part["text"] for part in control.BugReport(_more=True))
    assert text.count("\n") == 3 and len(text) > 12000, len(text)

with client.open("org.simbell.Control") as control:
    parts = [plain(part) for part in control.ExportUsage(by="hour", _more=True)]
    assert [len(part["runs"]) for part in parts] == [1, 1, 0], parts
    assert parts[0]["corrections"][0]["bytes"] == 3 and parts[2]["total"]["rx_bytes"] == 2, parts

with client.open("org.simbell.Control") as control:
    try:
        control.Acknowledge(key="nosuch")
        sys.exit("an unknown key was acknowledged")
    except varlink.VarlinkError as error:
        assert error.error() == "org.simbell.Control.UnknownReminder", error.error()
        assert error.parameters()["hint"], error.parameters()

print("every method answered:", len(CALLS))
