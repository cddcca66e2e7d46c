# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a witness wrote, as buffers and events in their order."""
import dataclasses
import re

DISCONT, HEADER, DELTA = 0x40, 0x400, 0x2000
# Of the memory, of the join, of the pool: not of the stream.
UNSTABLE_FLAGS = DISCONT | 0x4000
NOTHING = "-"


def unescape(text):
    return text.encode().decode("unicode_escape", "replace")


def number(text):
    return None if text == NOTHING else int(text)


@dataclasses.dataclass
class Buffer:
    pts: int
    dts: int
    duration: int
    offset: tuple
    flags: int
    size: int
    sum: str
    running: int
    metas: str
    caps: str = ""
    discont: bool = False


@dataclasses.dataclass
class Event:
    kind: str
    text: str
    at: int  # the number of buffers before it


class Stream:
    """What passed one element."""

    def __init__(self):
        self.buffers, self.events, self.header = [], [], []
        self.tags = {}

    def add_buffer(self, pts, dts, duration, first, last, flags, size, sum_,
                   running, metas):
        flags = int(flags, 16)
        self.buffers.append(Buffer(
            number(pts), number(dts), number(duration), (first, last),
            flags & ~UNSTABLE_FLAGS, int(size), sum_, number(running),
            unescape(metas), self.last("caps"),
            bool(flags & DISCONT)))

    def add_event(self, kind, text, header=""):
        # A gap of GStreamer 1.26 may name its flags, or not, if there are none.
        text = unescape(text).replace(", gap-flags=(GstGapFlags)0;", ";")
        self.events.append(Event(kind, text, len(self.buffers)))
        if kind == "caps":
            self.header = header.split(",") if header else []
        if kind == "tag":
            self.add_tags(*text.split(" ", 1))

    def add_tags(self, scope, text):
        parts = re.split(r", (?=[a-z0-9-]+=\()", text.rstrip(";"))
        for part in parts[1:] or parts:
            name, _, value = part.partition("=")
            self.tags[f"{scope} {name}"] = value

    def last(self, kind):
        return next((event.text for event in reversed(self.events)
                     if event.kind == kind), "")

    def flushed(self):
        """The number of buffers before the last flush."""
        return max([event.at for event in self.of("flush-stop")], default=0)

    def after_flush(self):
        """The stream without what the last flush removed."""
        kinds = [event.kind for event in self.events]
        if "flush-stop" not in kinds:
            return self
        rest = Stream()
        cut = self.flushed()
        last = len(kinds) - kinds[::-1].index("flush-stop")
        rest.buffers, rest.header = self.buffers[cut:], self.header
        rest.tags = self.tags
        rest.events = [
            dataclasses.replace(event, at=max(event.at - cut, 0))
            for i, event in enumerate(self.events)
            if i >= last or event.kind != "segment"]
        return rest

    def of(self, *kinds):
        return [event for event in self.events if event.kind in kinds]


class Observed:
    """All that one witness wrote."""

    def __init__(self, lines):
        self.streams, self.warnings, self.errors = {}, [], []
        self.stats, self.is_at_eos = {}, False
        for line in lines:
            self.add(line.split("\t"))

    def add(self, fields):
        kind = fields[0]
        if kind in ("buffer", "event"):
            stream = self.streams.setdefault(fields[1], Stream())
            add = stream.add_buffer if kind == "buffer" else stream.add_event
            add(*fields[2:])
        elif kind in ("warning", "error"):
            (self.warnings if kind == "warning" else self.errors).append(
                unescape(fields[1]))
        elif kind == "stats":
            for name, value in re.findall(r"([a-z-]+)=\(\w+\)(\d+)", fields[2]):
                self.stats[fields[1], name] = int(value)
        elif kind == "eos":
            self.is_at_eos = True

    def stream(self, name):
        return self.streams.get(name) or Stream()
