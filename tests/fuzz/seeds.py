#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the seeds that the fuzzers begin with: seeds.py, without arguments.
What fuzzers found lies beside them in corpus/TARGET under other names."""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
N_WINDOWS = 26  # of an image with every area, see image.c


def seed(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def number(window, offset, width, value):
    kind = {1: 0, 2: 1, 4: 2, 8: 3}[width]
    mask = (1 << 8 * width) - 1
    return (struct.pack("<BHB", window, offset, kind)
            + (value & mask).to_bytes(width, "little"))


def image_seeds(target, windows, switches):
    seed(target, "sound", b"\0")
    seed(target, "alive", bytes([2 | switches]))
    for window in range(windows):
        changes = b"".join(number(window, offset, width, value)
                           for offset, width, value in
                           ((0, 4, -1), (8, 8, 1 << 62), (24, 4, 4097)))
        seed(target, f"window-{window}", bytes([switches]) + changes)


def format_seeds():
    caps = b"video/x-raw, format=(string)I420, width=(int)854"
    segment = struct.pack("<IIIIdd7Q", 1, 3, 0, 0, 1.0, 1.0, 0, 0, 0,
                          2**64 - 1, 0, 0, 2**64 - 1)
    start = (b"datahub-stream-start, stream-id=(string)id, flags=(uint)0, "
             b"group=(guint64)1, pipeline=(guint64)7;")
    tags = b"taglist, title=(string)Bunny, bitrate=(uint)1000;\0\0"
    event = struct.pack("<I", 1) + b"custom, a=(int){ 1, 2 }, b=[ 1, 5 ];\0"
    done = struct.pack("<I", 5) + b"done, group-id=(uint)3;\0"
    for i, body in enumerate((caps + b"\0", segment, start + b"\0", tags,
                              event)):
        seed("format", str(i), bytes([i]) + body)
    seed("format", "group-done", b"\4" + done)
    for name, text in (
            ("array", b"video/x-raw, a=<1, 2>, f=(fraction)24/1"),
            ("nested", b"a, b=(GstStructure)[c, d=(int)[ 1, 9 ]]"),
            ("features", b"video/x-raw(memory:DMABuf), colorimetry=bt709")):
        seed("format", name, b"\0" + text + b"\0")


def meta(kind, body):
    return struct.pack("<II", kind, len(body)) + body


def text(value):
    return struct.pack("<I", len(value) + 1) + value + b"\0"


def video(form, width, height, planes):
    body = struct.pack("<6I", 0, form, 0, width, height, len(planes))
    for offset, stride in (planes + [(0, 0)] * 4)[:4]:
        body += struct.pack("<QI", offset, stride)
    return meta(1, body + struct.pack("<8I", *[0] * 8))


def other_metas():
    bottom_up = video(8, 16, 8, [(448, -64 & 0xffffffff)])
    tiles = video(84, 16, 8, [(0, 1 << 16 | 1), (2048, 1 << 16 | 1)])
    rectangle = struct.pack("<2i3IfI2I", -1, 2, 8, 4, 2, 0.5, 0, 4, 2)
    yield "bottom-up", bottom_up
    yield "tiles", tiles
    yield "crop-first", meta(3, struct.pack("<4I", 1, 1, 4, 4)) + bottom_up
    yield "clipping", meta(7, struct.pack("<IQQ", 1, 312, 5))
    yield "protection", meta(8, text(b"cenc, iv=(buffer)0102;"))
    yield "caption", meta(9, struct.pack("<I", 3) + b"\xfc\1\2")
    yield "time-code", meta(10, struct.pack("<8I", 30000, 1001, 1, 1, 2, 3, 4,
                                            1) + struct.pack("<IqI", 1, 9, 7))
    yield "afd", meta(11, struct.pack("<3I", 0, 1, 8))
    yield "bar", meta(12, struct.pack("<4I", 0, 1, 10, 11))
    yield "level", meta(13, struct.pack("<2I", 77, 1))
    yield "downmix", meta(14, struct.pack("<2I3i2f", 2, 1, 0, 1, -2, .5, .5))
    yield "alpha", meta(15, struct.pack("<I5Q", 1, 2, 3, 4, 5, 6) + b"vp9")
    yield "sei", meta(16, b"0123456789abcdef" + b"x264")
    yield "rtp", meta(17, struct.pack("<4I", 1, 7, 1, 8))
    yield "ipv4", meta(18, struct.pack("<4I", 4, 5004, 0, 0) + b"\x7f\0\0\1")
    yield "ipv6", meta(18, struct.pack("<4I", 6, 5004, 1, 2) + b"\x20" * 16)
    yield "affine", meta(19, struct.pack("<16f", *[1.0] * 16))
    yield "overlay", meta(20, struct.pack("<I", 1) + rectangle + b"\x80" * 32)
    yield "ancillary", meta(21, struct.pack("<9I", 16, 0, 9, 0, 0x161, 0x101,
                                            0x100, 1, 5))
    yield "dsd", meta(22, struct.pack("<I3Q", 2, 16, 0, 16))
    yield "serialized", meta(23, text(b"GstVideoMeta") + struct.pack("<I", 0))


def meta_seeds():
    size = struct.pack("<H", 6000)
    i420 = video(2, 64, 48, [(0, 64), (3072, 32), (3840, 32)])
    crop = meta(3, struct.pack("<4I", 2, 2, 16, 16))
    audio = meta(2, struct.pack("<5IQ2i", 4, 48000, 2, 0, 0, 100, 0, 1))
    planar = meta(2, struct.pack("<5IQ2i2Q", 4, 48000, 2, 1, 0, 100, 0, 1, 0,
                                 400))
    time = meta(4, struct.pack("<QQ", 5, 5) + text(b"timestamp/x-unix"))
    region = meta(5, struct.pack("<6I", 1, 0, 1, 1, 9, 9) + text(b"face"))
    custom = meta(6, text(b"DatahubFuzzMeta, a=(int)1;"))
    for name, body in (("i420", i420 + crop), ("audio", audio),
                       ("planar", planar), ("time", time),
                       ("region", region), ("custom", custom)):
        seed("meta", name, size + body)
    for name, body in other_metas():
        seed("meta", name, size + body)
    for form in range(3, 80):  # packed and odd ones: one line of each
        if form % 7 == 0:
            seed("meta", f"video-{form}",
                 size + video(form, 16, 8, [(0, 256)]))


def upstream_seeds():
    none = -2**63
    seed("upstream", "key-unit", struct.pack("<IIqI", 1, 7, 10**15, 1))
    seed("upstream", "key-unit-now", struct.pack("<IIqI", 1, 0, none, 0))
    for name, proportion, diff in (("late", 1.5, 5), ("early", 0.5, -2**62),
                                   ("nan", float("nan"), 0)):
        seed("upstream", f"qos-{name}",
             struct.pack("<IIqdq", 2, 1, 10**15, proportion, diff))
    navigation = (b"application/x-gst-navigation, event=(string)mouse-move, "
                  b"pointer_x=(double)3;")
    for kind, body in ((3, navigation), (4, b"mine, x=(int)5;"),
                       (5, b"mine, a=(int){ 1, 2 }, b=[ 1, 5 ];"),
                       (6, b"mine, n=(GstStructure)[c, d=(int)9];")):
        seed("upstream", f"text-{kind}",
             struct.pack("<I", kind) + body + b"\0")


def message_seeds():
    for name, body in (
            ("hello", b'{"v":1,"type":"hello","name":"cam0"}'),
            ("secret", b'{"v":1,"secret":"' + b"0f" * 32 + b'"}'),
            ("uuid", b'{"v":1,"uuid":"' + b"0a" * 16 + b'","epoch":"12"}'),
            ("pattern", b'{"v":1,"pattern":"cam*?","reason":"\\u00e9"}'),
            ("error", b'{"v":1,"type":"error","code":"busy","message":"x"}'),
            ("deep", b'{"v":1,"a":[[[[{"b":{}}]]]]}')):
        seed("message", name, body)


def greeting_seeds():
    block = b"\x5a" * 16
    head = struct.pack("<QII16sII", 0x0BADF00DD0020A1E, 1, 1, block, 3, 1)
    for name, right, kind, machine, times in (
            ("sound", 7, 1, 1, (5, 5)),
            ("older", 3, 1, 0xa5a5, (1 << 63, 5)),
            ("far", 3, 1, 0, (2**64 - 1, 2**64 - 1)),
            ("unsigned", 5, 1, 1, (5, 5)),
            ("observer", 0, 2, 0, (0, 0)),
            ("no-secret", 9, 1, 0, (0, 0))):
        ticket = struct.pack("<II16s16sQQQ32s32s", 1, 0, block, b"n" * 16,
                             machine, *times, b"c" * 32, b"m" * 32)
        body = head[:12] + struct.pack("<I", kind) + head[16:]
        body = body.ljust(64, b"\0") + ticket + bytes(64)
        seed("greeting", name, bytes([right]) + body)
    seed("greeting", "half", bytes([0]) + head[:20])


image_seeds("block", N_WINDOWS, 0)
image_seeds("records", 11, 0)
image_seeds("zones", 7, 0)
image_seeds("integrity", N_WINDOWS, 4)
image_seeds("takeover", N_WINDOWS, 4)
image_seeds("adopt", N_WINDOWS, 0)
seed("adopt", "empty", b"")  # a sound block must be adopted
format_seeds()
meta_seeds()
upstream_seeds()
message_seeds()
greeting_seeds()
