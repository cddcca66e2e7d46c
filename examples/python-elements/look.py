#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the mean brightness of each frame of a block: datahubsrc ! appsink.
./look.py [NAME] [--count N]"""
import argparse

import gi
import numpy

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402


def brightness(sample):
    """The mean of the Y plane, which comes first in I420."""
    size = sample.get_caps().get_structure(0)
    pixels = size.get_value("width") * size.get_value("height")
    buffer = sample.get_buffer()
    ok, mapped = buffer.map(Gst.MapFlags.READ)
    if not ok:
        raise RuntimeError("the buffer cannot be mapped")
    try:
        return numpy.frombuffer(mapped.data, numpy.uint8, pixels).mean()
    finally:
        buffer.unmap(mapped)


def samples(pipeline, sink):
    """Every sample, until the stream ends; an error ends the program. Each wait
    is short, because Python handles Ctrl-C between two calls only."""
    ends = Gst.MessageType.ERROR | Gst.MessageType.EOS
    while True:
        sample = sink.emit("try-pull-sample", Gst.SECOND // 4)
        if sample:
            yield sample
            continue
        message = pipeline.get_bus().pop_filtered(ends)
        if message and message.type == Gst.MessageType.ERROR:
            raise SystemExit(message.parse_error()[0].message)
        if message:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="?", default="cam0")
    parser.add_argument("--count", type=int, default=-1)
    arguments = parser.parse_args()
    Gst.init(None)
    pipeline = Gst.parse_launch(
        f"datahubsrc datablock={arguments.name} num-buffers={arguments.count} "
        "! videoconvert ! video/x-raw,format=I420 "
        "! appsink name=sink sync=false max-buffers=1 drop=true")
    pipeline.set_state(Gst.State.PLAYING)
    try:
        for sample in samples(pipeline, pipeline.get_by_name("sink")):
            print(f"{sample.get_buffer().pts / 1e9:8.3f} s  "
                  f"{brightness(sample):6.2f}", flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        pipeline.set_state(Gst.State.NULL)


main()
