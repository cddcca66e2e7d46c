# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the header of a block shows of its producer beside the stream: clocks,
counters and distinct errors. Written from docs/memory-layout.md alone."""
import struct
from collections import namedtuple

from datablock import ERRORS, ERRORS_FEATURE, N_ERRORS, barrier

TELEMETRY_FEATURE = 1 << 1
COUNTERS, CLOCK_TURN, CLOCK, SHARE = 0x2b0, 0x320, 0x340, 0x380
COUNTER_NAMES = ("wakes", "waits", "growths", "given_up", "copied")
PAIR = struct.Struct("<QQ16s")
ENTRY = struct.Struct("<IIQQQ96s")
TRIES = 10

Clock = namedtuple("Clock", "monotonic realtime boot_id")
Error = namedtuple("Error", "code text count first last")


def has_telemetry(block):
    return bool(block.identity.feat_compat & TELEMETRY_FEATURE)


def counters(block):
    """Counts since the block was created, or None."""
    if not has_telemetry(block):
        return None
    return {name: block.ctl.u64(COUNTERS + 8 * i)
            for i, name in enumerate(COUNTER_NAMES)}


def share(block):
    """Slots that each consumer may hold before it must copy, and for how many
    consumers that is; None if no possible share is stated."""
    if not has_telemetry(block):
        return None
    word = block.ctl.u64(SHARE)
    limit, counted = (word & 0xffffffff) - 1, word >> 32
    if not 0 <= limit <= block.identity.n_recs \
            or counted > block.identity.max_rows:
        return None
    return limit, counted


def clock(block):
    """The producer's clocks at one instant, or None."""
    for _ in range(TRIES if has_telemetry(block) else 0):
        turn = block.ctl.u64(CLOCK_TURN)  # K3
        barrier()
        pair = block.ctl.copy(CLOCK + turn % 2 * PAIR.size, PAIR.size)
        barrier()
        if block.ctl.u64(CLOCK_TURN) == turn:  # K4
            return Clock(*PAIR.unpack(pair)) if turn else None
    return None


def clock_offset(block, monotonic, realtime):
    """Nanoseconds to add to the producer's CLOCK_MONOTONIC to get that of the
    caller; these two are its own clocks at one instant."""
    pair = clock(block)
    if pair is None:
        return None
    return (pair.realtime - pair.monotonic) - (realtime - monotonic)


def entry(block, at):
    for _ in range(TRIES):
        turn = block.ctl.u32(at)  # X4
        if turn == 0 or turn % 2:
            return None
        barrier()
        _, code, count, first, last, text = ENTRY.unpack(
            block.ctl.copy(at, ENTRY.size))  # X5
        barrier()
        if block.ctl.u32(at) == turn:  # X6
            text = text[:95].split(b"\0")[0]
            text = "".join(chr(c) if 32 <= c <= 126 else "?" for c in text)
            return (Error(code, text, count, first, last)
                    if 0 < code <= 65535 and count else None)
    return None


def errors(block):
    """The distinct errors of the producer, the newest first."""
    if not block.identity.feat_compat & ERRORS_FEATURE:
        return []
    begin = block.section(ERRORS)
    found = (entry(block, begin + i * ENTRY.size) for i in range(N_ERRORS))
    return sorted(filter(None, found), key=lambda error: -error.last)
