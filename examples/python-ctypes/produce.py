#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishes generated frames in a DataBlock, through the C API by ctypes: a
gradient with a bar that moves, drawn with NumPy right into the shared memory.
consume.py, ../python-reader and datahubsrc read it."""
import argparse
import re
import signal
import struct
import sys
import threading
import time
import zlib

import datahub

BILLION = 10**9
FORMAT_TIME = 3

EPILOG = """\
output: "# ready" when the block can be found, one line a buffer,
  buffer SEQUENCE pts=NANOSECONDS size=BYTES crc=CRC32 key
and what was sent at the end. Ends after --frames, or at Ctrl-C.

examples:
  produce.py cam0 --rate 30
  produce.py cam0 --frames 300 --wait-for-consumers 1 --quiet
"""


def say(*words):
    print(*words, flush=True)


def picture_size(text):
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    width, height = map(int, match.groups()) if match else (0, 0)
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise argparse.ArgumentTypeError("a size is WIDTHxHEIGHT, 16 to 8192")
    return width, height


class Picture:
    """RGB frames as GStreamer lays them out: rows of a multiple of 4 bytes."""

    def __init__(self, width, height, rate):
        import numpy
        self.stride = -(-width * 3 // 4) * 4
        self.size = self.stride * height
        self.caps = (f"video/x-raw, format=(string)RGB, width=(int){width}, "
                     f"height=(int){height}, framerate=(fraction){rate}/1")
        across = numpy.arange(width) * 255 // (width - 1)
        down = numpy.arange(height) * 255 // (height - 1)
        self._width = width
        self._still = numpy.zeros((height, width, 3), numpy.uint8)
        self._still[:, :, 0] = across
        self._still[:, :, 1] = down[:, None]

    def draw(self, array, number):
        """Frame number into the bytes of a slot."""
        rows = array.reshape(-1, self.stride)
        rows[:, self._width * 3:] = 0
        pixels = rows[:, :self._width * 3].reshape(self._still.shape)
        pixels[:] = self._still
        pixels[:, :, 2] = number % 256
        bar = number * 4 % self._width
        pixels[:, bar:bar + 8] = 255


def send_header(producer, caps):
    """What stands in front of the buffers, as the elements write it."""
    text = ("datahub-stream-start, stream-id=(string)produce.py, "
            "flags=(uint)0, group=(guint64)1, "
            f"pipeline=(guint64){time.time_ns()};")
    producer.commit(datahub.STREAM_START, body=text.encode() + b"\0")
    producer.commit(datahub.CAPS, body=caps.encode() + b"\0")
    none = datahub.NONE
    producer.commit(datahub.SEGMENT, body=struct.pack(
        "<4I2d7Q", 1, FORMAT_TIME, 0, 0, 1.0, 1.0, 0, 0, 0, none, 0, 0, none))


def send_frames(args, producer, picture, signals):
    started = time.monotonic_ns()
    pause = threading.Event()
    number = 0
    while number != args.frames and not signals.received:
        pts = number * BILLION // args.rate
        with producer.slot(picture.size) as (array, loan):
            picture.draw(array, number)
            checksum = zlib.crc32(array)
            sequence = producer.commit(
                datahub.BUFFER, loan=loan, size=picture.size, pts=pts,
                duration=BILLION // args.rate, instant_ns=started + pts)
        if not args.quiet:
            say(f"buffer {sequence} pts={pts} size={picture.size} "
                f"crc={checksum:08x} key")
        number += 1
        if not args.fast:
            late = started + number * BILLION // args.rate
            pause.wait(max(0, late - time.monotonic_ns()) / BILLION)


def produce(args, lib, signals):
    picture = Picture(*args.size, args.rate)
    with datahub.Producer(lib, args.channel, picture.size, slots=args.slots,
                          checksum=args.checksum) as producer:
        signals.watch(producer)
        try:
            send_header(producer, picture.caps)
            say("# ready")
            if args.wait_for_consumers:
                producer.wait_consumers(args.wait_for_consumers)
            send_frames(args, producer, picture, signals)
            producer.commit(datahub.EOS)
        except datahub.Outcome as outcome:
            say(f"# {outcome}")
        finally:
            signals.forget(producer)
            stats = producer.stats()
            say(f"# sent {stats.commits} dropped {stats.dropped} evictions "
                f"{stats.evictions} waits {stats.waits} growths "
                f"{stats.growths}")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("channel", help="name of the channel")
    add("--frames", type=int, metavar="N", help="end after N frames")
    add("--size", type=picture_size, default=(320, 240),
        metavar="WIDTHxHEIGHT", help="(default: 320x240)")
    add("--rate", type=int, choices=range(1, 1001), default=30, metavar="FPS",
        help="(default: %(default)s)")
    add("--fast", action="store_true", help="as fast as consumers allow")
    add("--slots", type=int, default=0, metavar="N", help="slots of the first "
        "pool (default: the library's)")
    add("--wait-for-consumers", type=int, metavar="N", default=0,
        help="hold the first frame until N consumers are attached")
    add("--checksum", choices=["none", "crc32c", "blake2b"], default="none",
        help="checksum of each record (default: %(default)s)")
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
            produce(args, lib, signals)
    except (datahub.Failure, OSError) as error:
        print(f"{args.channel}: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
