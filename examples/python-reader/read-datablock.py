#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a DataBlock as an observer: one line for each record, or a frame of raw
video as a PNG. It takes no row and writes nothing; the producer never waits
for it and never knows of it."""
import argparse
import os
import signal
import sys
import time
import zlib

from datablock import (BUFFER, CAPS, DELTA_UNIT, EOS, NONE, READY, Block,
                       NotThere, Reader, Refused, text_of)

LIVENESS = 0.1  # seconds between questions whether the producer lives
EXIT_REFUSED, EXIT_DIED, EXIT_TIMEOUT = 1, 3, 4

EPILOG = """\
output, one line a record:
  buffer SEQUENCE pts=NANOSECONDS size=BYTES crc=CRC32 [key|delta]
  caps|segment|... SEQUENCE [TEXT]
and lines that begin with # for what happened to the block itself.

exit status: 0 the block was closed, EOS came or --count was reached; 1 there is
no block, it is damaged or not for this reader; 2 wrong usage; 3 the producer
died; 4 --timeout passed.

examples:
  read-datablock.py cam0 --start oldest
  read-datablock.py cam0 --png frame.png
  read-datablock.py cam0 --follow --count 1000 --quiet
"""


def say(*words):
    print(*words, flush=True)


class Program:
    """One run: attaches, follows, and attaches again where asked to."""

    def __init__(self, args):
        self.args = args
        self.secret = None
        if args.secret_file:
            with open(args.secret_file, "rb") as file:
                self.secret = file.read()
            if len(self.secret) != 32:
                raise Refused(f"{args.secret_file} has {len(self.secret)} "
                              "bytes; a secret has 32.")
        self.buffers = self.lost = 0
        self.caps = None
        self.heard = time.monotonic()  # when the last record came

    def late(self):
        return (self.args.timeout is not None
                and time.monotonic() - self.heard > self.args.timeout)

    def attach(self, not_uuid):
        """A block with a live producer, or, asked so, what a dead one left."""
        while True:
            try:
                block = Block.attach(self.args.channel, self.secret, not_uuid)
                if block.producer_lives() or self.args.post_mortem:
                    return block
                block.close()
                raise NotThere(f"The producer of {self.args.channel} is dead; "
                               "--post-mortem reads what it left.")
            except NotThere as absent:
                if not self.args.follow:
                    raise Refused(str(absent)) from None
            if self.late():
                return None
            time.sleep(LIVENESS / 5)

    def run(self):
        not_uuid = None
        while True:
            block = self.attach(not_uuid)
            if not block:
                return EXIT_TIMEOUT
            try:
                status = self.follow_to_the_end(block)
            finally:
                block.close()
            if status is not None:
                return status
            not_uuid = block.uuid

    def follow_to_the_end(self, block):
        """An exit status, or None: the block is over and another may come."""
        say(f"# block {block.uuid.hex()}")
        reader = Reader(block, "oldest" if self.args.post_mortem
                        else self.args.start)
        self.heard = time.monotonic()
        self.show_caps(reader.newest_caps())
        asked = time.monotonic()
        while True:
            try:
                record = reader.read()
            except NotThere as absent:
                how = reader.over()
                if not how:
                    raise
                say(f"# the rest cannot be read any more: {absent}")
                return self.end(how, reader)
            if record:
                self.heard = time.monotonic()
                if self.take(record):
                    return 0
                continue
            if self.late():
                return EXIT_TIMEOUT
            if time.monotonic() - asked >= LIVENESS:
                asked = time.monotonic()
                how = reader.ended()
                if how == "died" and self.args.follow:
                    how = self.wait_for_successor(block, reader)
                if how:
                    return self.end(how, reader)
            time.sleep(self.args.poll)

    def wait_for_successor(self, block, reader):
        """None if another producer continues the block."""
        say(f"# died at {reader.cursor}; another producer may continue the block")
        while block.may_go_on() and not self.late():
            if block.producer_lives():
                self.heard = time.monotonic()
                say("# another producer continues the block")
                return None
            time.sleep(self.args.poll)
        return "closed" if block.state() != READY else "died"

    def end(self, how, reader):
        say(f"# {how} at {reader.cursor}: read {self.buffers} buffers, lost "
            f"{self.lost}")
        if self.args.follow:
            return None
        return EXIT_DIED if how == "died" else 0

    def show_caps(self, caps):
        if caps and caps != self.caps:
            say(f"# caps {caps}")
            self.caps = caps

    def take(self, record):
        """Prints a record; True: that was all."""
        if self.args.verify:
            record.verify()
        if record.flushed:
            say(f"# flush before {record.fixed.seq}")
        if record.lost:
            self.lost += record.lost
            say(f"# lost {record.lost} buffers before {record.fixed.seq}")
        if record.fixed.type == BUFFER:
            return self.take_buffer(record)
        if not self.args.quiet:
            text = text_of(record.body) if record.fixed.type == CAPS else ""
            say(f"{record.type_name} {record.fixed.seq} {text}".rstrip())
        return record.fixed.type == EOS and not self.args.follow

    def take_buffer(self, record):
        fixed = record.fixed
        self.buffers += 1
        self.show_caps(record.caps)
        if not self.args.quiet:
            pts = "none" if fixed.pts == NONE else fixed.pts
            say(f"buffer {fixed.seq} pts={pts} size={len(record.payload)} "
                f"crc={zlib.crc32(record.payload):08x} "
                f"{'delta' if fixed.flags & DELTA_UNIT else 'key'}")
        enough = self.buffers == self.args.count
        if self.args.png and (enough or not self.args.count):
            self.save(record)
            return True
        if enough:
            say(f"# read {self.buffers} buffers, lost {self.lost}")
        return enough

    def save(self, record):
        try:
            import picture  # NumPy is needed for pictures alone
        except ImportError as error:
            raise Refused(f"A PNG needs NumPy (Debian: python3-numpy): "
                          f"{error}.") from None
        try:
            data = picture.png(picture.rgb(record.caps, record.payload,
                                           record.body))
        except picture.NoPicture as error:
            raise Refused(str(error)) from None
        part = f"{self.args.png}.part"
        with open(part, "wb") as file:
            file.write(data)
        os.replace(part, self.args.png)
        say(f"# frame {record.fixed.seq} is in {self.args.png}")


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def seconds(text):
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("channel", help="name of the channel")
    add("--start", choices=["latest", "oldest", "keyframe"], default="latest",
        help="where to start (default: %(default)s)")
    add("--count", type=positive, metavar="N", help="end after N buffers")
    add("--png", metavar="FILE", help="save a frame of raw video and end: the "
        "first one, or the one that --count reaches")
    add("--follow", action="store_true", help="wait for the block, and for the "
        "next one when it is over")
    add("--timeout", type=seconds, metavar="SECONDS",
        help="end if no record came for this long")
    add("--poll", type=seconds, metavar="SECONDS", default=0.002,
        help="interval of polling (default: %(default)s)")
    add("--post-mortem", action="store_true",
        help="also read the records of a dead producer, from the oldest on")
    add("--secret-file", metavar="FILE", help="refuse a block with another secret")
    add("--verify", action="store_true", help="verify the check sums of records "
        "that have one")
    add("--quiet", action="store_true", help="no line for each record")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        return Program(args).run()
    except (Refused, NotThere, OSError, ValueError) as error:
        print(f"{args.channel}: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


sys.exit(main())
