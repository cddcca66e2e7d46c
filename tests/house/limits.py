#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Time limits of the tests' framework follow the speed of the machine:
limits.py PROGRAM.
A behaviour that takes longer than its limit because the machine is slow passes.
A behaviour that hangs ends, on a slow machine too."""
import math
import os
import subprocess
import sys
import time

PROGRAM = sys.argv[1]
LIMIT = 1  # second, of a behaviour on the reference machine
SLOW = 3 * LIMIT  # what the work must take at least to be over its limit for sure
SLOWEST = 50  # speed.h
BUSY = "while True: pass"


def check(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def run(behaviour, cpu, **variables):
    """(exit status, output, seconds) of one behaviour on one processor."""
    start = time.monotonic()
    done = subprocess.run(["taskset", "-c", str(cpu), PROGRAM, behaviour],
                          env={**os.environ, "CHECK_TIMEOUT": str(LIMIT),
                               "CHECK_SCALE": "1", **variables},
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    seconds = time.monotonic() - start
    print(f"{behaviour} {variables}: {seconds:.1f} s, exit {done.returncode}")
    print(done.stdout, done.stderr, flush=True)
    return done.returncode, done.stdout, seconds


class Load:
    """Makes one processor slow for others: by competitors for it."""

    def __init__(self, cpu, n):
        self.cpu, self.n, self.running = cpu, n, []

    def __enter__(self):
        for _ in range(self.n):
            self.running.append(subprocess.Popen(
                ["taskset", "-c", str(self.cpu), sys.executable, "-c", BUSY]))

    def __exit__(self, *_):
        for process in self.running:
            process.kill()
            process.wait()


def main():
    cpu = min(os.sched_getaffinity(0))
    status, _, alone = run("works", cpu)
    check(status == 0, "the work passes alone")
    competitors = min(40, math.ceil(SLOW / alone))
    with Load(cpu, competitors):
        status, _, seconds = run("works", cpu)
        check(seconds > LIMIT, f"{competitors} competitors make it slow")
        check(status == 0, "slow work passes")
    with Load(cpu, 2):
        status, output, seconds = run("hangs", cpu)
        check(status == 1 and "still running" in output, "a hang fails")
        check(LIMIT < seconds < 2 * SLOWEST * LIMIT, "a hang ends")
    status, output, seconds = run("hangs", cpu, CHECK_SCALE="3")
    check(status == 1 and seconds > 3 * LIMIT, "CHECK_SCALE multiplies")


main()
