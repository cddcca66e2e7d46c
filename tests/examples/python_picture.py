#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/python-reader: frames of raw video as PNG, compared with the
colours that were sent: by GStreamer through the elements, and by hand.
Needs NumPy."""
import os
import struct
import subprocess
import sys
import unittest
import zlib

import python_common
from python_common import READER, MetaLocation

python_common.need_numpy()
sys.path.insert(0, str(READER))
import numpy as np  # noqa: E402
import picture  # noqa: E402

WIDTH, HEIGHT = 21, 11  # odd: rows and planes have padding


def unpng(data):
    """A PNG of picture.png() as an array, by the rules of the format."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + size]
        crc, = struct.unpack_from(">I", data, at + 8 + size)
        assert crc == zlib.crc32(kind + body), kind
        chunks[kind] = body
        at += 12 + size
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8)
    rows = rows.reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def caps(form, extra=""):
    return (f"video/x-raw, format=(string){form}, width=(int){WIDTH}, "
            f"height=(int){HEIGHT}{extra}")


class Pictures(MetaLocation):
    def from_elements(self, form, width, colour):
        """A frame that GStreamer made, through the elements and the reader."""
        name = f"{form}-{colour:08x}"
        path = f"{self.home}/{name}.png"
        reader = self.reader(name, "--follow", "--timeout", "50", "--start",
                             "oldest", "--png", path)
        launch = subprocess.Popen(
            ["gst-launch-1.0", "-q", "videotestsrc", "is-live=true",
             "pattern=solid-color", f"foreground-color={colour}", "!",
             f"video/x-raw,format={form},width={width},height={HEIGHT}", "!",
             "datahubsink", f"datablock={name}", "broker=none"],
            stdin=subprocess.DEVNULL)
        try:
            self.assertEqual(reader.finish(), 0, reader.errors)
        finally:
            launch.kill()
            launch.wait()
        with open(path, "rb") as file:
            return unpng(file.read())

    @unittest.skipIf(os.environ.get("DATAHUB_SANITIZED"),
                     "elements with a sanitizer are not for gst-launch-1.0")
    def test_colours_of_the_elements(self):
        for form in ("I420", "NV12", "YUY2", "RGB", "BGRx"):
            colour = (200, 60, 90)
            # videotestsrc leaves the chroma of half a pair of YUY2 unset
            width = WIDTH + (form == "YUY2")
            pixels = self.from_elements(form, width, 0xffc83c5a)
            self.assertEqual(pixels.shape, (HEIGHT, width, 3))
            worst = np.abs(pixels.astype(int) - colour).max()
            self.assertLessEqual(worst, 3, f"{form}: {pixels[0, 0]}")

    def test_every_pixel_of_packed_formats_is_where_it_was(self):
        rng = np.random.default_rng(1)
        told = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        stride = -(-WIDTH * 3 // 4) * 4
        rows = np.full((HEIGHT, stride), 0x77, np.uint8)
        rows[:, :WIDTH * 3] = told.reshape(HEIGHT, -1)
        np.testing.assert_array_equal(
            unpng(picture.png(picture.rgb(caps("RGB"), rows.tobytes()))), told)
        rows[:, :WIDTH * 3] = told[:, :, ::-1].reshape(HEIGHT, -1)
        np.testing.assert_array_equal(
            picture.rgb(caps("BGR"), rows.tobytes()), told)

    def test_chroma_belongs_to_its_pixels(self):
        """A red left half and a blue right half, by BT.601 figures."""
        stride, half, rows = 24, 12, 12
        y = np.full((rows, stride), 41, np.uint8)
        u = np.full((rows // 2, half), 240, np.uint8)
        v = np.full((rows // 2, half), 110, np.uint8)
        y[:, :10], u[:, :5], v[:, :5] = 81, 90, 240
        payload = y.tobytes() + u.tobytes() + v.tobytes()
        swapped = y.tobytes() + v.tobytes() + u.tobytes()
        both = np.zeros((rows // 2, stride), np.uint8)
        both[:, 0::2], both[:, 1::2] = u, v
        for form, data in (("I420", payload), ("YV12", swapped),
                           ("NV12", y.tobytes() + both.tobytes())):
            pixels = picture.rgb(caps(form), data).astype(int)
            self.assertLessEqual(abs(pixels[:, :10] - (255, 0, 0)).max(), 2)
            self.assertLessEqual(abs(pixels[:, 10:] - (0, 0, 255)).max(), 2)

    def test_the_matrix_is_that_of_the_caps(self):
        y = np.full((12, 24), 63, np.uint8)  # red by BT.709
        u = np.full((6, 12), 102, np.uint8)
        v = np.full((6, 12), 240, np.uint8)
        payload = y.tobytes() + u.tobytes() + v.tobytes()
        for text in ("bt709", "2:3:5:1"):
            told = caps("I420", f", colorimetry=(string){text}")
            pixels = picture.rgb(told, payload).astype(int)
            self.assertLessEqual(abs(pixels - (255, 0, 0)).max(), 2, text)

    def test_planes_are_where_the_meta_of_the_frame_says(self):
        rng = np.random.default_rng(2)
        told = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        rows = np.zeros((HEIGHT, 100), np.uint8)
        rows[:, :WIDTH * 3] = told.reshape(HEIGHT, -1)
        video = struct.pack("<6I", 0, 15, 0, WIDTH, HEIGHT, 1) \
            + struct.pack("<QI", 64, 100) + bytes(12 * 3 + 32)
        metas = struct.pack("<II", 99, 3) + b"abc" \
            + struct.pack("<II", 1, len(video)) + video
        np.testing.assert_array_equal(
            picture.rgb(caps("RGB"), bytes(64) + rows.tobytes(), metas), told)

    def test_what_is_no_picture_is_refused(self):
        whole = bytes(24 * 12 * 3)
        for told, payload, metas in (
                (None, whole, b""), ("audio/x-raw", whole, b""),
                ("video/x-raw, format=(string)I420", whole, b""),
                (caps("P010_10LE"), whole, b""), (caps("I420"), b"", b""),
                (caps("I420"), whole[:400], b""),
                (caps("I420").replace("21", "999999"), whole, b""),
                (caps("RGB"), whole, struct.pack("<II", 1, 500)),
                (caps("RGB"), whole, struct.pack("<II6IQI", 1, 104, 0, 15, 0,
                                                 WIDTH, HEIGHT, 1, 2**63, 64)
                 + bytes(68))):
            with self.assertRaises(picture.NoPicture, msg=told):
                picture.rgb(told, payload, metas)

    def test_the_command_refuses_a_png_of_other_media(self):
        producer = self.producer()
        producer.tell("caps audio/x-raw, rate=(int)48000")
        producer.tell("buffers 1 64 1")
        path = f"{self.home}/no.png"
        reader = self.reader("test", "--start", "oldest", "--png", path)
        self.assertEqual(reader.finish(), 1)
        self.assertIn("not raw video", reader.errors)
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    python_common.main()
