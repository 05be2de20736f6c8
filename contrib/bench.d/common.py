"""Words, commands and waiting."""

import subprocess
import sys
import time


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def until(holds, what, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"error: waited {seconds} s in vain for {what}")
        time.sleep(0.1)


def luhn(digits):
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits))]
    return digits + str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def iccid(number):
    return luhn(f"890010000000{number:06}")
