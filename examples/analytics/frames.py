# SPDX-License-Identifier: LGPL-2.1-or-later
"""The frames of a pipeline with an appsink, and the pixels of a frame."""
import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo  # noqa: E402


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


def size(sample):
    structure = sample.get_caps().get_structure(0)
    return structure.get_value("width"), structure.get_value("height")


def brightness(sample):
    """The Y plane of an I420 frame: an array of height x width."""
    buffer = sample.get_buffer()
    width, height = size(sample)
    meta = GstVideo.buffer_get_video_meta(buffer)
    stride = meta.stride[0] if meta else (width + 3) // 4 * 4
    ok, mapped = buffer.map(Gst.MapFlags.READ)
    if not ok:
        raise RuntimeError("the buffer cannot be mapped")
    try:
        rows = numpy.frombuffer(mapped.data, numpy.uint8, stride * height)
        return rows.reshape(height, stride)[:, :width].copy()
    finally:
        buffer.unmap(mapped)
