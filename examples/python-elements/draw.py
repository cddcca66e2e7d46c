#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws a moving bar into a block: appsrc ! datahubsink.
./draw.py [NAME] [--count N] [--rate N]"""
import argparse
import itertools

import gi
import numpy

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

WIDTH, HEIGHT, BAR = 640, 360, 40


def picture(number):
    pixels = numpy.full((HEIGHT, WIDTH, 3), 32, numpy.uint8)
    left = number * 4 % (WIDTH - BAR)
    pixels[:, left:left + BAR] = (255, 160, 0)
    return pixels


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="?", default="cam0")
    parser.add_argument("--count", type=int, help="how many frames (all)")
    parser.add_argument("--rate", type=int, default=30)
    arguments = parser.parse_args()
    Gst.init(None)
    pipeline = Gst.parse_launch(
        "appsrc name=source is-live=true format=time block=true max-buffers=2 "
        f"caps=video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},"
        f"framerate={arguments.rate}/1 "
        f"! datahubsink datablock={arguments.name}")
    source = pipeline.get_by_name("source")
    bus = pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    frames = (range(arguments.count) if arguments.count is not None
              else itertools.count())
    try:
        for number in frames:
            buffer = Gst.Buffer.new_wrapped(picture(number).tobytes())
            buffer.pts = number * Gst.SECOND // arguments.rate
            buffer.duration = Gst.SECOND // arguments.rate
            if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                break
    except KeyboardInterrupt:
        pass
    source.emit("end-of-stream")
    message = bus.timed_pop_filtered(
        Gst.CLOCK_TIME_NONE, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)
    if message.type == Gst.MessageType.ERROR:
        raise SystemExit(message.parse_error()[0].message)


main()
