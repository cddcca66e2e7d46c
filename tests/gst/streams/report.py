#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes docs/streams.md: report.py RESULTS VERSION, with the results of
streams.py --full --json and the version of GStreamer that they are of."""
import json
import pathlib
import sys

import rows

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "streams.md"
HEAD = """# Which streams cross, and how

Each row is a stream of `tests/gst/streams/rows.py`. It is sent by one process and
received by another, and compared with the same pipeline in one process: the bytes or
pictures, PTS, DTS, durations, offsets, flags, metas, caps, segments, tags, events,
differences of running time, losses, and what the consumer's pipeline shows at its end.
Metas that nothing at the consumer could use need not cross (`mpeg2`, `webm-muxed`; see
Metas in [elements.md](elements.md)).
A consumer comes *first*, *late* (a third of the stream was sent) or *very late* (all of
it was sent, but not EOS). It is *reliable* or *live*. The file is written by
`tests/gst/streams/report.py` from the results of the leg `streams` of `.ci/long`, here
with GStreamer {version}.

"""
JOINS = ("first", "late", "very-late")
COLUMNS = [(join, delivery) for delivery in ("reliable", "live")
           for join in JOINS]
NAMES = {"passed": "equal", "known": "known to be wrong in something",
         "skipped": "skipped", "failed": "failed"}
TITLES = {"containers": "Containers, as bytes", "muxed": "Containers, as a muxer "
          "sends them", "codecs": "Elementary streams", "raw": "Pictures",
          "audio": "Sound", "other": "Text, data, RTP", "live": "Live and paced",
          "seeks": "Seeks of the producer"}


class Notes:
    """Reasons, numbered in their order."""

    def __init__(self):
        self.texts = []

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def cell(result, notes):
    if result is None:
        return ""
    if result["outcome"] == "passed":
        return "equal"
    if result["outcome"] == "skipped":
        return result["lines"][0]
    numbers = [notes.number(line) for reason in result["lines"]
               for line in reason.split("; ")]
    return result["outcome"].replace("known", "wrong") + " (" + ", ".join(
        str(n) for n in dict.fromkeys(numbers)) + ")"


def table(group, results, notes):
    yield f"\n## {TITLES[group]}\n\n"
    yield ("| Stream | first | late | very late | live, first | live, late "
           "| live, very late |\n|---|---|---|---|---|---|---|\n")
    for row in rows.ROWS:
        if row.group == group:
            cells = [cell(results.get(f"{row.name}/{join}/{delivery}"), notes)
                     for join, delivery in COLUMNS]
            yield f"| {row.name} | " + " | ".join(cells) + " |\n"


def main():
    results, notes = json.loads(pathlib.Path(sys.argv[1]).read_text()), Notes()
    count = {}
    for result in results.values():
        count[result["outcome"]] = count.get(result["outcome"], 0) + 1
    text = HEAD.format(version=sys.argv[2])
    text += f"Of {len(results)} cases: " + ", ".join(
        f"{n} {NAMES[name]}" for name, n in sorted(count.items())) + ".\n"
    for group in rows.GROUPS:
        text += "".join(table(group, results, notes))
    if notes.texts:
        text += "\n## What is wrong\n\n" + "".join(
            f"{i}. {each}\n" for i, each in enumerate(notes.texts, 1))
    PAGE.write_text(text)
    print(f"{PAGE.name} is written")


main()
