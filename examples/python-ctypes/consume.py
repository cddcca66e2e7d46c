#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reliable consumer of a DataBlock, through the C API by ctypes: the producer
waits for it, payloads are NumPy views of the shared memory, and a few leases are
held while the producer goes on."""
import argparse
import collections
import signal
import sys
import threading
import zlib

import datahub

EXIT_FAILED, EXIT_LOST, EXIT_TIMEOUT = 1, 3, 4
LOOK_AGAIN = 0.05  # seconds between looks for a block

EPILOG = """\
output, one line a buffer:
  buffer SEQUENCE pts=NANOSECONDS size=BYTES crc=CRC32 [key|delta] [copied]
and lines that begin with # for everything else. --hold keeps that many leases
and checks, before each ends, that its bytes are still the same.

exit status: 0 the block was closed, EOS came, --count was reached or a signal
ended it; 1 a call failed; 2 wrong usage; 3 the producer died; 4 --timeout.

examples (produce.py is beside it):
  consume.py cam0 --wait
  consume.py cam0 --wait --hold 4 --count 100 --quiet
"""


def say(*words):
    print(*words, flush=True)


class Program:
    def __init__(self, args, lib, signals):
        self.args = args
        self.lib = lib
        self.signals = signals
        self.held = collections.deque()  # (lease, checksum)
        self.caps = datahub.NONE
        self.buffers = 0

    def attach(self):
        """The block of that name; with --wait as soon as there is one."""
        options = dict(reliable=not self.args.live, start=self.args.start,
                       max_pinned=self.args.max_pinned,
                       name=self.args.name)
        pause = threading.Event()
        while True:
            try:
                return datahub.Consumer(self.lib, self.args.channel, **options)
            except datahub.Failure as failure:
                if (failure.code != datahub.ERROR_NOT_FOUND
                        or not self.args.wait):
                    raise
            if self.signals.received:
                return None
            pause.wait(LOOK_AGAIN)

    def run(self):
        consumer = self.attach()
        if not consumer:
            return 0
        self.signals.watch(consumer)
        try:
            say(f"# block {consumer.uuid()}")
            return self.follow(consumer)
        finally:
            self.signals.forget(consumer)
            self.report(consumer)
            while self.held:
                self.release()
            consumer.close()

    def follow(self, consumer):
        while not self.signals.received:
            try:
                lease = consumer.read(self.args.timeout)
            except datahub.Outcome as outcome:
                status = self.outcome(consumer, outcome)
                if status is not None:
                    return status
                continue
            if self.take(lease):
                return 0
        say("# interrupted")
        return 0

    def outcome(self, consumer, outcome):
        """An exit status, or None to go on."""
        say(f"# {outcome}")
        if outcome.code == datahub.EVICTED:
            consumer.rejoin()
            return None
        return {datahub.PRODUCER_LOST: EXIT_LOST,
                datahub.TIMEOUT: EXIT_TIMEOUT}.get(outcome.code, 0)

    def take(self, lease):
        """One record; True: that was all."""
        view = lease.view
        if view.lost:
            say(f"# lost {view.lost} buffers before {view.sequence}")
        if view.type != datahub.BUFFER:
            lease.end()
            return view.type == datahub.EOS
        if view.context[datahub.CONTEXT_CAPS] != self.caps:
            self.caps = view.context[datahub.CONTEXT_CAPS]
            text = lease.context(datahub.CONTEXT_CAPS) or b""
            say("# caps " + text.rstrip(b"\0").decode(errors="replace"))
        self.take_buffer(lease)
        self.buffers += 1
        return self.buffers == self.args.count

    def take_buffer(self, lease):
        view, checksum = lease.view, checksum_of(lease)
        if not self.args.quiet:
            pts = "none" if view.pts == datahub.NONE else view.pts
            size = sum(m.size for m in view.memories[:view.n_memories])
            key = "delta" if view.flags & datahub.FLAG_DELTA_UNIT else "key"
            say(f"buffer {view.sequence} pts={pts} size={size} "
                f"crc={checksum:08x} {key}"
                f"{' copied' if view.must_copy else ''}")
        if view.must_copy or not self.args.hold:
            lease.end()  # over the quota: what is wanted was copied by now
            return
        self.held.append((lease, checksum))
        if len(self.held) > self.args.hold:
            self.release()

    def release(self):
        lease, checksum = self.held.popleft()
        sequence, now = lease.view.sequence, checksum_of(lease)
        lease.end()
        if now != checksum:
            raise datahub.Failure(datahub.VALUES["DATAHUB_ERROR_CORRUPT"],
                                  f"buffer {sequence} changed while held")

    def report(self, consumer):
        stats = consumer.stats()
        say(f"# received {stats.received} lost {stats.lost} "
            f"over-quota {stats.over_quota} waits {stats.waits} "
            f"quota {stats.quota} held {stats.pinned}")


def checksum_of(lease):
    value = 0
    for array in lease.arrays():
        value = zlib.crc32(array, value)
    return value


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("channel", help="name of the channel")
    add("--wait", action="store_true", help="wait for the block")
    add("--live", action="store_true", help="the producer does not wait for it")
    add("--start", choices=["latest", "oldest", "keyframe"], default="oldest",
        help="where to start (default: %(default)s)")
    add("--count", type=int, metavar="N", help="end after N buffers")
    add("--hold", type=int, metavar="N", default=0,
        help="hold the last N leases (default: %(default)s)")
    add("--max-pinned", type=int, metavar="N", default=0,
        help="slots to ask for without a copy (default: the library's)")
    add("--timeout", type=float, metavar="SECONDS",
        help="end if no record came for this long")
    add("--name", default="consume.py", help="its name in tools")
    add("--library", metavar="FILE", help="path of the library, if the loader "
        "does not find it")
    add("--quiet", action="store_true", help="no line for each buffer")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        sys.exit(f"NumPy is needed (Debian: python3-numpy): {error}")
    try:
        lib = datahub.load(args.library)
        with datahub.InterruptedBySignals(signal.SIGINT,
                                          signal.SIGTERM) as signals:
            return Program(args, lib, signals).run()
    except (datahub.Failure, OSError) as error:
        print(f"{args.channel}: {error}", file=sys.stderr)
        return EXIT_FAILED


sys.exit(main())
