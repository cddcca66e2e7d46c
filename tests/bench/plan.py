# SPDX-License-Identifier: LGPL-2.1-or-later
"""The work that is measured: cells, each of which is measured with each transport
in turn."""
import collections

SIZES = {"64 B": "64", "4 KiB": "4096", "64 KiB": "65536", "1 MiB": "1048576",
         "1080p": "1080p", "4K": "4k", "audio": "audio"}
BYTES = {"64 B": 64, "4 KiB": 4096, "64 KiB": 65536, "1 MiB": 1 << 20,
         "1080p": 1920 * 1080 * 3 // 2, "4K": 3840 * 2160 * 3 // 2, "audio": 1920}
# Of big frames fewer are in flight, for the sake of memory.
IN_FLIGHT = {"4K": 16}
# buffers a second: 0 is flat out, 100 is one for each 10 ms
PACES = [("1080p", 60), ("4 KiB", 1000), ("audio", 100)]
ALL_SIZES = ["64 B", "4 KiB", "64 KiB", "1 MiB", "1080p", "4K"]
CONSUMERS = [1, 2, 4, 8, 16, 32]
CORE_CONSUMERS = CONSUMERS + [64, 128]
RATES = [1000, 10000, 100000, 300000, 1000000]

GSTREAMER = ["queue", "datahub", "datahub-default", "shm", "unixfd", "tcp"]
MESSAGE = ["core", "zmq", "iceoryx"]
# What the ratios of a kind refer to.
BASELINE = {"gstreamer": "queue", "message": "zmq", "rate": None}

Cell = collections.namedtuple(
    "Cell", "kind size consumers memory touch rate",
    defaults=("pool", "header", 0))
Plan = collections.namedtuple("Plan", "cells seconds turns minutes calls everything")


def key_of(cell, transport):
    """Names a row of the results."""
    return "|".join(map(str, (*cell, transport)))


def seconds_of(plan, cell):
    """Of a measurement: paced streams need more for their few buffers."""
    if not cell.rate or cell.kind == "rate":
        return plan.seconds
    return plan.seconds * (5 if cell.rate < 1000 else 2)


def transports_of(plan, cell):
    if cell.kind == "rate":
        return ["core"]
    names = list(GSTREAMER if cell.kind == "gstreamer" else MESSAGE)
    if cell.memory == "own" and "datahub-default" in names:
        names.remove("datahub-default")
    # tcp copies each frame for each consumer, and falls behind a live one
    heavy = BYTES[cell.size] > 65536 and (cell.consumers > 1 or cell.rate)
    if heavy and not plan.everything and "tcp" in names:
        names.remove("tcp")
    return names + (["floor"] if cell.rate else [])


def gstreamer(consumers, sizes, memory="pool", touch="header", rate=0):
    return [Cell("gstreamer", size, n, memory, touch, rate)
            for size in sizes for n in consumers]


def message(consumers, sizes, rate=0):
    return [Cell("message", size, n, "pool", "header", rate)
            for size in sizes for n in consumers]


def rates():
    return [Cell("rate", "64 B", 1, "pool", "header", rate) for rate in RATES]


def smoke():
    return (gstreamer([2], ["4 KiB"], touch="all")
            + gstreamer([1], ["4 KiB"], rate=1000) + message([2], ["64 B"]))


def quick():
    cells = (gstreamer([1], ALL_SIZES) + gstreamer([1], ["1080p"], touch="all")
             + gstreamer([1], ["1080p"], memory="own")
             + gstreamer([8], ["4 KiB", "1080p"]))
    for size, rate in PACES:
        cells += gstreamer([1, 8], [size], rate=rate)
    return cells + message([1, 8, 32], ["4 KiB"]) + message([8], ["4 KiB"], 1000)


def normal():
    cells = gstreamer([1], ALL_SIZES)
    cells += gstreamer([1], ["64 KiB", "1080p", "4K"], touch="all")
    cells += gstreamer([1], ["4 KiB", "1 MiB", "1080p"], memory="own")
    cells += gstreamer([2, 8, 32], ["4 KiB", "1080p"])
    cells += gstreamer([8], ["1080p"], touch="all")
    cells += gstreamer([1, 4, 8, 16], ["1080p"], rate=60)
    cells += gstreamer([1, 8], ["4 KiB"], rate=1000)
    cells += gstreamer([1, 8], ["audio"], rate=100)
    cells += message([1, 8, 32, 128], ["4 KiB"]) + message([1], ["64 B", "1 MiB"])
    return cells + message([1, 8, 32], ["4 KiB"], 1000) + rates()


def full():
    cells = []
    for memory in ("pool", "own"):
        for touch in ("header", "all"):
            cells += gstreamer(CONSUMERS, ALL_SIZES, memory, touch)
    for size, rate in PACES:
        for touch in ("header", "all"):
            cells += gstreamer(CONSUMERS, [size], touch=touch, rate=rate)
    for size in ("64 B", "4 KiB", "64 KiB", "1 MiB"):
        cells += message(CORE_CONSUMERS, [size])
    return cells + message(CORE_CONSUMERS, ["4 KiB"], 1000) + rates()


# transport, size, rate, consumers; the producer's and each consumer's are counted
CALLS = [("4 KiB", 1000, 1), ("4 KiB", 1000, 4), ("1080p", 60, 1),
         ("64 KiB", 0, 1)]

PLANS = {
    "smoke": Plan(smoke(), 0.1, 1, 0, CALLS[:1], False),
    "quick": Plan(quick(), 0.4, 5, 4, CALLS[:2], False),
    "normal": Plan(normal(), 0.8, 5, 0, CALLS, False),
    "full": Plan(full(), 1.5, 5, 0, CALLS, True),
}
