# SPDX-License-Identifier: LGPL-2.1-or-later
"""System calls of a buffer, by strace -f -c: two lengths of the same work: their
difference has no start and no end."""
import os
import re
import shutil

import plan
import processes

TRANSPORTS = ["datahub", "shm", "unixfd", "tcp"]
LENGTHS_S = (0.5, 2.0)
LEAST_BUFFERS = 40
# The source keeps its pace by it.
OWN_CALLS = {"clock_nanosleep"}


def read_summary(path):
    """Calls by name."""
    calls = {}
    with open(path) as file:
        for line in file:
            words = line.split()
            if len(words) >= 5 and re.fullmatch(r"[0-9.]+", words[0]) \
                    and words[-1] != "total":
                calls[words[-1]] = int(words[3])
    return calls


def count_once(bench, transport, size, rate, consumers, seconds):
    """(buffers, calls of the producer, calls of all consumers)"""
    def trace(number):
        return ["strace", "-f", "-c", "-o", bench.path(f"calls{number}")]

    for number in range(consumers + 1):
        if os.path.exists(bench.path(f"calls{number}")):
            os.unlink(bench.path(f"calls{number}"))
    arguments = [f"--size={plan.SIZES[size]}", f"--rate={rate}",
                 f"--seconds={seconds}", "--warm-up=0.1"]
    sent, _ = bench.measure("bench-transport", transport, consumers, arguments,
                            trace)
    calls = [read_summary(bench.path(f"calls{number}"))
             for number in range(consumers + 1)]
    readers = {}
    for one in calls[1:]:
        for name, n in one.items():
            readers[name] = readers.get(name, 0) + n
    return sent["sent"], calls[0], readers


def difference(less, more, buffers):
    each = {name: (n - less.get(name, 0)) / buffers for name, n in more.items()
            if name not in OWN_CALLS}
    return {name: round(n, 3) for name, n in sorted(each.items()) if abs(n) >= 0.01}


def count(bench, transport, size, rate, consumers):
    few, many = [count_once(bench, transport, size, rate, consumers, seconds)
                 for seconds in LENGTHS_S]
    buffers = many[0] - few[0]
    if buffers < LEAST_BUFFERS:
        raise processes.Failed(f"the two lengths differ by {buffers} buffers only")
    produce = difference(few[1], many[1], buffers)
    consume = difference(few[2], many[2], buffers * consumers)
    return {"size": size, "rate": rate, "consumers": consumers,
            "transport": transport, "producer": round(sum(produce.values()), 2),
            "consumer": round(sum(consume.values()), 2),
            "producer_calls": produce, "consumer_calls": consume}


def measure(bench, cells, note):
    if not shutil.which("strace"):
        note("system calls: strace is not installed, skipped")
        return []
    rows = []
    for size, rate, consumers in cells:
        for transport in TRANSPORTS:
            try:
                rows.append(count(bench, transport, size, rate, consumers))
            except processes.Skipped:
                continue
            except processes.Failed as failure:
                rows.append({"size": size, "rate": rate, "consumers": consumers,
                             "transport": transport, "failed": str(failure)})
    return rows
