#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws the regions that detect.py adds to the frames of a block.
./overlay.py [NAME] [--png FILE]"""
import argparse

import numpy

from frames import Gst, GstVideo, brightness, samples, size

LINE = 3  # pixels


def draw_box(pixels, box):
    """A white frame along the inside of the box."""
    inside = pixels[box.y:box.y + box.h, box.x:box.x + box.w]
    for edge in (inside[:LINE], inside[-LINE:], inside[:, :LINE],
                 inside[:, -LINE:]):
        edge[:] = 255


def picture(sample):
    """The frame in grey, with its region; and whether it has one."""
    pixels = brightness(sample)
    box = GstVideo.buffer_get_video_region_of_interest_meta_id(
        sample.get_buffer(), 0)
    if box:
        draw_box(pixels, box)
    width, height = size(sample)
    rows = numpy.zeros((height, (width + 3) // 4 * 4), numpy.uint8)
    rows[:, :width] = pixels
    return Gst.Buffer.new_wrapped(rows.tobytes()), box is not None


def grey(caps):
    copy = caps.copy()
    copy.set_value("format", "GRAY8")
    return copy


def show(reader, target, only_one):
    """Draws every frame, or the first that has a region."""
    for sample in samples(reader, reader.get_by_name("sink")):
        drawn, has_box = picture(sample)
        if only_one and not has_box:
            continue
        target.set_caps(grey(sample.get_caps()))
        if target.emit("push-buffer", drawn) != Gst.FlowReturn.OK or only_one:
            return


def finish(writer, target):
    """Waits until what was drawn is written or shown."""
    target.emit("end-of-stream")
    message = writer.get_bus().timed_pop_filtered(
        Gst.CLOCK_TIME_NONE, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    if message.type == Gst.MessageType.ERROR:
        raise SystemExit(message.parse_error()[0].message)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="?", default="cam0-seen")
    parser.add_argument("--png", metavar="FILE", help="write one picture")
    arguments = parser.parse_args()
    Gst.init(None)
    screen = (f"pngenc ! filesink location={arguments.png}"
              if arguments.png else "autovideosink")
    reader = Gst.parse_launch(
        f"datahubsrc datablock={arguments.name} consumer-name=overlay "
        "! video/x-raw,format=I420 "
        "! appsink name=sink sync=false max-buffers=1 drop=true")
    writer = Gst.parse_launch(
        "appsrc name=target is-live=true do-timestamp=true format=time block=true "
        f"max-buffers=2 ! videoconvert ! {screen}")
    target = writer.get_by_name("target")
    writer.set_state(Gst.State.PLAYING)
    reader.set_state(Gst.State.PLAYING)
    try:
        show(reader, target, arguments.png is not None)
        finish(writer, target)
    except KeyboardInterrupt:
        pass
    finally:
        reader.set_state(Gst.State.NULL)
        writer.set_state(Gst.State.NULL)


main()
