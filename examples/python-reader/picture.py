# SPDX-License-Identifier: LGPL-2.1-or-later
"""Raw video frames as PNG: caps and metas in, bytes of a file out. NumPy does
the arithmetic; the PNG is written by hand."""
import re
import struct
import zlib

import numpy as np

META_VIDEO = 1
VIDEO_META = struct.Struct("<6I" + "QI" * 4)
LARGEST = 32768  # pixels a side
# Red and blue of Y'CbCr by the names of GStreamer's colorimetry.
MATRICES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722),
            "bt2020": (0.2627, 0.0593)}
# Its numeric form, RANGE:MATRIX:TRANSFER:PRIMARIES.
MATRIX_NUMBERS = {"3": "bt709", "4": "bt601", "6": "bt2020"}
# Where red, green and blue are in a pixel of so many bytes.
PACKED = {"RGB": (3, (0, 1, 2)), "BGR": (3, (2, 1, 0)),
          "RGBA": (4, (0, 1, 2)), "RGBx": (4, (0, 1, 2)),
          "BGRA": (4, (2, 1, 0)), "BGRx": (4, (2, 1, 0)),
          "GRAY8": (1, (0, 0, 0))}


class NoPicture(Exception):
    """What is wrong with a frame, or which format this example leaves out."""


def up(value, step):
    return -(-value // step) * step


def field(caps, name):
    found = re.search(rf"\b{name}=(?:\([\w/]+\))?\"?([\w:.-]+)", caps)
    return found.group(1) if found else None


def parse_caps(caps):
    """(format, width, height) of raw video caps."""
    if not caps or not re.match(r"video/x-raw\s*(,|$)", caps):
        raise NoPicture(f"These caps are not raw video: {caps or 'none'}")
    try:
        width, height = int(field(caps, "width")), int(field(caps, "height"))
    except (TypeError, ValueError):
        raise NoPicture(f"These caps have no size: {caps}") from None
    if not (0 < width <= LARGEST and 0 < height <= LARGEST):
        raise NoPicture(f"A picture of {width}x{height} is unreasonable.")
    return field(caps, "format"), width, height


def default_planes(form, width, height):
    """[(offset, stride)] as GStreamer lays frames out without padding."""
    if form in PACKED:
        return [(0, up(width * PACKED[form][0], 4))]
    if form == "YUY2":
        return [(0, up(width * 2, 4))]
    luma, chroma = up(width, 4), up(up(width, 2) // 2, 4)
    rows = up(height, 2)
    if form == "NV12":
        return [(0, luma), (luma * rows, luma)]
    if form in ("I420", "YV12"):
        size = luma * rows
        return [(0, luma), (size, chroma), (size + chroma * rows // 2, chroma)]
    raise NoPicture(f"This example does not know the format {form}; it knows "
                    f"I420, YV12, NV12, YUY2, {', '.join(PACKED)}.")


def planes_of_metas(metas, width, height):
    """The planes that a frame's own video meta names, or None."""
    at = 0
    while len(metas) - at >= 8:
        kind, size = struct.unpack_from("<II", metas, at)
        at += 8
        if size > len(metas) - at:
            raise NoPicture("The metas of the frame are damaged.")
        if kind == META_VIDEO and size >= VIDEO_META.size:
            meta = VIDEO_META.unpack_from(metas, at)
            n_planes = meta[5]
            if meta[3:5] == (width, height) and n_planes <= 4:
                return [(meta[6 + 2 * i], meta[7 + 2 * i])
                        for i in range(n_planes)]
        at += size
    return None


def plane(payload, where, rows, row_bytes):
    """Rows of bytes, without copying; never outside of the payload."""
    offset, stride = where
    if (stride < row_bytes or stride > 2**31
            or offset + (rows - 1) * stride + row_bytes > len(payload)):
        raise NoPicture(f"The frame has {len(payload)} bytes, too few for its "
                        "caps.")
    return np.ndarray((rows, row_bytes), np.uint8, payload, offset,
                      (stride, 1))


def packed_rgb(form, width, height, planes, payload):
    step, order = PACKED[form]
    pixels = plane(payload, planes[0], height, width * step)
    return pixels.reshape(height, width, step)[:, :, list(order)]


def matrix_of(caps, height):
    """(red, blue, full range), from the colorimetry or by custom."""
    told = field(caps, "colorimetry") or ""
    numbers = told.split(":")
    if len(numbers) == 4:
        return *MATRICES[MATRIX_NUMBERS.get(numbers[1], "bt601")], \
            numbers[0] == "1"
    custom = "bt601" if height <= 576 else "bt709"
    return *MATRICES.get(told, MATRICES[custom]), False


def rgb_of_yuv(y, u, v, caps):
    red, blue, full = matrix_of(caps, y.shape[0])
    y, u, v = (c.astype(np.float32) for c in (y, u, v))
    if full:
        u, v = (u - 128) / 255, (v - 128) / 255
        y = y / 255
    else:
        u, v = (u - 128) / 224, (v - 128) / 224
        y = (y - 16) / 219
    r = y + 2 * (1 - red) * v
    b = y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.clip(np.rint(np.dstack([r, g, b]) * 255), 0, 255).astype(np.uint8)


def doubled(chroma, width, height):
    """One chroma sample for each pixel of two by two."""
    return chroma.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


def planar_yuv(form, width, height, planes, payload):
    half, rows = (width + 1) // 2, (height + 1) // 2
    y = plane(payload, planes[0], height, width)
    if form == "NV12":
        both = plane(payload, planes[1], rows, half * 2)
        u, v = both[:, 0::2], both[:, 1::2]
    else:
        u, v = (plane(payload, p, rows, half) for p in planes[1:3])
        if form == "YV12":
            u, v = v, u
    return y, doubled(u, width, height), doubled(v, width, height)


def yuy2(width, height, planes, payload):
    half = (width + 1) // 2
    groups = plane(payload, planes[0], height, half * 4)
    u, v = (groups[:, i::4].repeat(2, axis=1)[:, :width] for i in (1, 3))
    return groups[:, 0::2][:, :width], u, v


def rgb(caps, payload, metas=b""):
    """A frame as an array of height x width x 3 bytes."""
    form, width, height = parse_caps(caps)
    planes = default_planes(form, width, height)
    told = planes_of_metas(metas, width, height)
    if told is not None:
        if len(told) != len(planes):
            raise NoPicture(f"The frame has {len(told)} planes.")
        planes = told
    if form in PACKED:
        return packed_rgb(form, width, height, planes, payload)
    if form == "YUY2":
        return rgb_of_yuv(*yuy2(width, height, planes, payload), caps)
    return rgb_of_yuv(*planar_yuv(form, width, height, planes, payload), caps)


def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data)))


def png(pixels):
    """An RGB array as the bytes of a PNG file."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + width * 3), np.uint8)  # filter 0 in front
    rows[:, 1:] = pixels.reshape(height, width * 3)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
            + chunk(b"IEND", b""))
