#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds the brightest region of each frame of a block to it, in another block.
./detect.py [FROM] [TO]"""
import argparse

import numpy

from frames import Gst, GstVideo, brightness, samples

# Of 255: what is darker is no region.
BRIGHT = 128
COPY = (Gst.BufferCopyFlags.FLAGS | Gst.BufferCopyFlags.TIMESTAMPS
        | Gst.BufferCopyFlags.META | Gst.BufferCopyFlags.MEMORY)


def region(pixels):
    """x, y, width and height of the box around all bright pixels, or None."""
    rows, columns = numpy.nonzero(pixels > BRIGHT)
    if len(rows) == 0:
        return None
    left, top = int(columns.min()), int(rows.min())
    return left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top


def with_region(sample):
    """The same frame, with the region: the picture itself is not copied."""
    box = region(brightness(sample))
    buffer = sample.get_buffer()
    frame = buffer.copy_region(COPY, 0, buffer.get_size())
    if box:
        GstVideo.buffer_add_video_region_of_interest_meta(frame, "bright", *box)
    return frame


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", nargs="?", default="cam0", metavar="FROM")
    parser.add_argument("target", nargs="?", default="cam0-seen", metavar="TO")
    arguments = parser.parse_args()
    Gst.init(None)
    pipeline = Gst.parse_launch(
        f"datahubsrc datablock={arguments.source} consumer-name=detect "
        "! video/x-raw,format=I420 "
        "! appsink name=sink sync=false async=false max-buffers=1 drop=true "
        "appsrc name=source is-live=true format=time max-buffers=2 "
        "leaky-type=downstream "
        f"! datahubsink datablock={arguments.target} async=false")
    source = pipeline.get_by_name("source")
    pipeline.set_state(Gst.State.PLAYING)
    try:
        for sample in samples(pipeline, pipeline.get_by_name("sink")):
            source.set_caps(sample.get_caps())
            if source.emit("push-buffer", with_region(sample)) != Gst.FlowReturn.OK:
                break
    except KeyboardInterrupt:
        pass
    finally:
        pipeline.set_state(Gst.State.NULL)


main()
