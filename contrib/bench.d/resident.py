"""Which functions a service at work runs, for daemon/resident.ld: those that the linker is to put beside one another.

simbelld runs under callgrind with 8 connections, and what it runs is noted from shortly before it gives the memory of
its start back, for an hour: each reading, each commit, bearers read as they are in every half hour, and rules asked as
they are in every hour. Names go in without what compilers put in them that differs from build to build, so that one name
may stand for several functions: those of which most is not run come last, and lie apart from the others.
"""

import ctypes
import os
import re
import struct
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from common import run, say
from room import Room

FILE = Path("daemon/resident.ld")
# The memory of the start is given back 75 s after it, and under callgrind all are connected after half of that.
SETTLE = 20
# And until rules were asked, an hour after the first growth that they were not asked about.
AN_HOUR = 3_960
HEAD = """\
/* Functions that a service at work runs, beside one another: the kernel maps 64 kB around what is used, and what is
 * used stays in memory. Written by `contrib/bench --resident`; a name that is no more does no harm. Of the names from
 * the mark on most functions are others. GNU ld and lld read it; daemon/build.rs hands it to them. */
SECTIONS
{
  .text.resident :
  {
    *(.text.simbell_resident_first)
"""
# How the names begin that SQLite's functions between its byte code and the file have.
STORAGE = tuple((
    "accessPayload allocate apply balance btree cell clear decodeFlags defragment dropCell editPage fillInCell freePage "
    "freeSpace getAndInit getOverflow getPage handleMovedCursor insertCell invalidate lockBtree moveTo newDatabase page "
    "pager pcache posix ptrmap rebuildPage robust saveAllCursors saveCursor seek sqlite3Bitvec sqlite3Btree sqlite3Db "
    "sqlite3Malloc sqlite3Mem sqlite3Os sqlite3Pager sqlite3Pcache sqlite3Record sqlite3Value sqlite3Vdbe sqlite3Wal unix "
    "unlockBtree vdbe wal"
).split())
MARK = "    /* shared names */\n"
END = "    *(.text.simbell_resident_last)\n  }\n}\nINSERT BEFORE .text;\n"


def resident(bench):
    say("what a service at work runs: an hour and ten minutes ...")
    out = bench.base / "callgrind"
    watched = bench.base / "watched"
    watched.mkdir()
    program = bench.programs / "simbelld"
    launcher = watched / "simbelld"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{sys.argv[0]}" --watched "{program}" "{out}" "$@"\n')
    launcher.chmod(0o755)
    room = Room(bench.base, "resident", 8)
    room.modems(bench.programs, connected=True)
    room.programs = watched
    ours, control = room.simbelld(room.dir / "state")
    room.ready(control, ours, "connected")
    time.sleep(SETTLE)
    run("callgrind_control", "-i", "on", str(ours))
    time.sleep(AN_HOUR)
    run("callgrind_control", "-d", str(ours))
    room.leave()
    text = layout(symbols(program), ran(out.with_name("callgrind.1"), "simbelld"))
    FILE.write_text(text)
    say(f"{FILE}: {text.count('*(.text.')} names")


def watch(program, out, words):
    """Becomes the program under callgrind. rustix asks the kernel where the vDSO is (`PR_GET_AUXV`), of which valgrind
    hides that there is one: it is refused, and asks /proc then, which valgrind answers."""
    prctl, get_auxv, refuse, allow = 157, 0x41555856, 0x00050000 | 22, 0x7FFF0000
    lines = [(0x20, 0, 0, 0), (0x15, 0, 3, prctl), (0x20, 0, 0, 16), (0x15, 0, 1, get_auxv), (6, 0, 0, refuse)]
    code = b"".join(struct.pack("HBBI", *line) for line in [*lines, (6, 0, 0, allow)])
    code = ctypes.create_string_buffer(code, len(code))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    # PR_SET_NO_NEW_PRIVS, then PR_SET_SECCOMP with SECCOMP_MODE_FILTER. The numbers are those of x86-64.
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filters, 0, 0):
        raise OSError(ctypes.get_errno(), "a system call is not refused")
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--demangle=no"]
    os.execvp(valgrind[0], [*valgrind, f"--callgrind-out-file={out}", program, *words])


def ran(file, program):
    """The functions of a program that instructions were counted in, by the names of its symbols."""
    names, objects, found = {}, {}, set()
    ours = called = False
    name = None
    for line in file.read_text().splitlines():
        key, _, value = line.partition("=")
        if key in ("ob", "cob"):
            told = named(value, objects)
            # Of a program that changes how its own pages are mapped valgrind forgets the file, and keeps the names: those
            # of no symbol of it are left out later.
            ours = told.endswith((f"/{program}", "???")) if key == "ob" else ours
        elif key in ("fn", "cfn"):
            told = named(value, names)
            name = told if key == "fn" else name
        elif key == "calls":
            # The line that follows is what the function called took.
            called = True
        elif line[:1] in "+-*0123456789" and line:
            if ours and not called:
                # A function that calls itself is told once more, with a number.
                found.add(re.sub(r"'\d+$", "", name))
            called = False
    return found


def named(value, table):
    """A name is told once, and its number from then on."""
    number, _, name = value.partition(" ")
    return table.setdefault(number, name)


def symbols(program):
    """Functions with their sizes."""
    lines = subprocess.run(["nm", "-S", program], check=True, capture_output=True, text=True).stdout.splitlines()
    words = [line.split() for line in lines]
    return [(of[3], int(of[1], 16)) for of in words if len(of) == 4 and of[2] in "tTwW"]


def pattern(name):
    """A name without hashes of crates and types, and without the numbers that link-time optimisation adds."""
    if name.startswith("_ZN"):
        return re.sub(r"17h[0-9a-f]{16}E.*$", "17h*", name)
    if name.startswith("_R"):
        return re.sub(r"(\.llvm)?\.\d+$", "*", re.sub(r"Cs[0-9A-Za-z]*_", "Cs*_", name))
    return re.sub(r"\.\d+$", ".*", name)


def layout(all_of, found):
    if not found:
        raise SystemExit("error: callgrind told of no function: has the program its symbols?")
    sizes = defaultdict(lambda: [0, 0])
    for name, size in all_of:
        of = sizes[pattern(name)]
        of[0] += size
        of[1] += size if name in found or name.startswith(STORAGE) else 0
    own = sorted(name for name, (size, used) in sizes.items() if 0 < used >= size / 2)
    shared = sorted(name for name, (size, used) in sizes.items() if 0 < used < size / 2)
    # Those that their source calls cold are in sections of another name.
    place = "    *(.text.{0} .text.unlikely.{0})\n"
    lines = ["".join(place.format(name) for name in names) for names in (own, shared)]
    return HEAD + lines[0] + MARK + lines[1] + END
