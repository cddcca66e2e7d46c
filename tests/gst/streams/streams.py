#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams as they are, between two processes, compared with one process:
streams.py WITNESS MEDIA-FOLDER [options] GROUP... | all

  --full          every row with every way to join and to deliver
  --case PATTERN  only these cases, ROW/JOIN/DELIVERY
  --producer WITNESS, --consumer WITNESS
                  the program of this end, if it is of another system
  --keep FOLDER   keeps what the witnesses wrote
  --json FILE     adds the results to this file
  --update        removes from known.tsv what is right now

A case is a row of rows.py, a join (first; late: after a third of the stream;
very-late: after its last buffer, before EOS) and a delivery (reliable, live).
The output is TAP. A case passes if nothing differs but what known.tsv lists:
CASE (with * and ?), ASPECTS, REASON, separated by tabs. It fails, too, if
something in that list is right; an aspect with a question mark is right at
times."""
import argparse
import fnmatch
import json
import pathlib
import re
import sys

import compare
import rows
from observed import Observed
from processes import Late, Media, Place, missing

JOINS = ("first", "late", "very-late")
DELIVERIES = ("reliable", "live")
KNOWN = pathlib.Path(__file__).with_name("known.tsv")
LIVE_BUFFERS = 40  # of the consumer, before an endless input is ended


class Texts:
    """The pipelines of a row."""

    def __init__(self, row, media, synced=False):
        self.row = row
        self.sync = row.synced or row.live or synced
        self.input = re.sub(r"\{(media|text):([^}]*)\}",
                            lambda match: media(match[1], match[2]), row.input)

    def _fill(self, sinks):
        text = self.input
        for i, sink in enumerate(sinks):
            text = text.replace(f"{{{i}}}",
                                f"identity name=show-{i} silent=true ! {sink}")
        return text

    def _tails(self, tails):
        return [f"{tail} ! fakesink name=show-end-{i} sync=false"
                for i, tail in enumerate(tails)]

    def alone(self):
        # Between processes nothing can be pulled, so the queue pushes here, too.
        return self._fill(f"queue ! {tail}"
                          for tail in self._tails(self.row.tails))

    def producer(self, waits):
        sync = "true" if self.sync else "false"
        return self._fill(
            f"datahubsink name=sink{i} datablock=stream{i} sync={sync} "
            f"wait-for-consumers={waits}" for i in range(len(self.row.tails)))

    def consumer(self, delivery, has_tails):
        tails = self.row.tails if has_tails else \
            ["identity"] * len(self.row.tails)
        return " ".join(
            f"datahubsrc name=src{i} datablock=stream{i} delivery={delivery} "
            f"! identity name=show-{i} silent=true ! {tail}"
            for i, tail in enumerate(self._tails(tails)))


class Case:
    def __init__(self, row, join, delivery, tools):
        self.row, self.join, self.delivery = row, join, delivery
        self.tools = tools
        self.name = f"{row.name}/{join}/{delivery}"
        self.remarks = []
        self.streams = range(len(row.tails))
        # A live consumer of a stream that is not paced loses most of it.
        paced = delivery == "live" and not row.live
        self.texts = Texts(row, tools.media, paced)
        # One that comes very late gets the last buffers, or none: they may not
        # be enough to decode anything.
        self.has_tails = not paced and (join == "first" or join == "late"
                                        and row.late_end != "none")

    # ---- Running it ----

    def keep(self, witness):
        """What it wrote, if the command line names a folder for that."""
        if self.tools.kept:
            folder = pathlib.Path(self.tools.kept, self.name.replace("/", "-"))
            folder.mkdir(parents=True, exist_ok=True)
            (folder / witness.name.replace(" ", "-")).write_text(
                "\n".join([witness.pipeline, *witness.lines]) + "\n")

    def start(self, place, name, pipeline, *options):
        return place.start(self.tools.program(name), name, pipeline, *options)

    def seek(self, process):
        """Drives the pipeline with the stream, alone or as the producer."""
        at, *arguments = self.row.seek
        if at == "paused":
            process.wait_for("paused")
        else:
            process.wait_for("held")
        process.command("seek " + " ".join(map(str, arguments)))
        process.wait_for("sought")
        # a flush ends the hold: a short stream may be over by now
        process.offer("go")
        process.offer("play")
        if arguments[1] & rows.SEGMENT:
            process.wait_for("segment-done")
            process.command("end")

    def options(self, hold=None):
        at = self.row.seek[0] if self.row.seek else hold
        if at == "paused":
            return ["--paused"]
        return ["--hold", f"show-0={at}"] if at is not None else []

    def run_alone(self, program):
        with Place(self.keep) as place:
            alone = place.start(program, "pipeline in one process",
                                self.texts.alone(), *self.options())
            if self.row.seek:
                self.seek(alone)
            alone.finish()
            observed = Observed(alone.lines)
        if observed.errors or not observed.stream("show-0").buffers:
            raise Late(f"alone: {observed.errors or 'no buffers'}")
        return observed

    def alone(self, end="producer"):
        """In one process, of the system that this end is in."""
        if self.row.live:
            return None
        key = self.row.name, self.tools.program(end)
        if key not in self.tools.alone:
            self.tools.alone[key] = self.run_alone(key[1])
        return self.tools.alone[key]

    def run(self, place, alone):
        """(producer, consumer), as they were observed."""
        join = self.first if self.join == "first" else self.later
        producer, consumer = join(place, alone)
        if self.row.pause:
            self.pause(producer, consumer)
        if self.row.live:
            consumer.wait_for("buffer\tshow-0", LIVE_BUFFERS)
            producer.command("eos")
        consumer.finish()
        producer.finish()
        return Observed(producer.lines), Observed(consumer.lines)

    def first(self, place, _):
        consumer = self.start(place, "consumer", self.texts.consumer(
            self.delivery, self.has_tails))
        consumer.wait_for("started")
        producer = self.start(place, "producer", self.texts.producer(1),
                              *self.options())
        if self.row.seek:
            self.seek(producer)
        return producer, consumer

    def later(self, place, alone):
        if self.row.live:
            return self.later_live(place)
        count = len(alone.stream("show-0").buffers)
        hold = self.row.late_at or count // 3
        if self.join == "very-late" or count < 3:
            hold = "eos"
        producer = self.start(place, "producer", self.texts.producer(0),
                              *self.options(hold))
        producer.wait_for("held")
        consumer = self.start(place, "consumer", self.texts.consumer(
            self.delivery, self.has_tails))
        for i in self.streams:
            # What fails at once may be gone before the sink has seen it.
            producer.wait_for(f"message\tsink{i}\tconsumer-added",
                              unless=consumer)
        producer.command("go")
        return producer, consumer

    def later_live(self, place):
        producer = self.start(place, "producer", self.texts.producer(0))
        producer.wait_for("buffer\tshow-0",
                          10 if self.join == "late" else LIVE_BUFFERS)
        return producer, self.start(
            place, "consumer",
            self.texts.consumer(self.delivery, self.has_tails))

    def pause(self, producer, consumer):
        consumer.wait_for("buffer\tshow-0", 5)
        paused = producer if self.row.pause == "producer" else consumer
        seen = sum(line.startswith("buffer\tshow-0") for line in producer.lines)
        paused.command("pause")
        paused.wait_for("paused")
        if paused is consumer:
            producer.wait_for("buffer\tshow-0", seen + 5)
        paused.command("play")

    # ---- Judging it ----

    def differences(self):
        """[(ASPECT, WHAT)]"""
        alone = self.alone()
        with Place(self.keep) as place:
            sent, got = self.run(place, alone)
            left = place.left()
        found = list(self.compared(alone, sent, got))
        found += [("bus", f"{end}: {text}") for end, seen
                  in (("producer", sent), ("consumer", got))
                  for text in seen.errors + seen.warnings]
        if not got.is_at_eos:
            found.append(("eos", "the consumer has seen no EOS"))
        if left:
            found.append(("left", f"in shared memory: {left}"))
        return found

    def observed(self, seen, name):
        """What counts: not what a seek removed before it was played."""
        found = seen.stream(name)
        return found.after_flush() if self.row.seek[:1] == ("paused",) \
            else found

    def how_it_ends(self):
        if self.join != "first":
            return self.row.late_end
        return "last" if self.row.seek else "all"

    def is_same_everywhere(self, alone, end):
        """Whether both systems show the same in one process: their encoders and
        decoders can differ."""
        if not alone or not self.tools.programs:
            return bool(alone)
        other = self.alone("consumer").stream(end)
        if [each.sum for each in other.buffers] \
                == [each.sum for each in alone.stream(end).buffers]:
            return True
        self.remarks.append(f"{end} was not compared: in one process it differs "
                            "between the systems, too")
        return False

    def compared(self, alone, sent, got):
        first = self.join == "first"
        for i in self.streams:
            name, end = f"show-{i}", f"show-end-{i}"
            stream = self.observed(sent, name)
            yield from compare.stream(
                stream, got.stream(name), whole=first,
                exact=not self.row.live, gaps=self.delivery == "live",
                stats={key: value for (element, key), value
                       in got.stats.items() if element == f"src{i}"},
                timed=not self.row.pause, single=len(self.row.tails) == 1,
                stays=self.row.stays)
            if alone and not self.row.fresh and first:
                yield from compare.inputs(self.observed(alone, name), stream)
            if self.has_tails and self.is_same_everywhere(alone, end):
                yield from compare.ends(alone.stream(end).after_flush(),
                                        got.stream(end), self.how_it_ends(),
                                        not self.row.pause)


class Known:
    """known.tsv."""

    def __init__(self):
        self.lines = [line.split("\t")
                      for line in KNOWN.read_text().splitlines()]

    def of(self, case):
        """Reasons by aspect, and the aspects that are wrong each time."""
        found = {aspect: reason for pattern, aspects, reason in self.lines
                 if fnmatch.fnmatch(case, pattern)
                 for aspect in aspects.split()}
        return ({aspect.rstrip("?"): reason
                 for aspect, reason in found.items()},
                {aspect for aspect in found if not aspect.endswith("?")})

    def remove(self, case, right):
        """Takes these aspects out, of lines about this case alone."""
        for line in self.lines:
            if line[0] == case:
                line[1] = " ".join(sorted(set(line[1].split()) - set(right)))
        self.lines = [line for line in self.lines if line[1]]

    def write(self):
        KNOWN.write_text("".join("\t".join(line) + "\n"
                                 for line in self.lines))


def judge(case, known):
    """(OUTCOME, [lines], aspects that are right though known.tsv has them)"""
    expected, always = known.of(case.name)
    try:
        found = case.differences()
    except Late as late:
        found = [("finish", str(late))]
    unknown = [f"{aspect}: {what}" for aspect, what in found
               if aspect not in expected]
    right = sorted(always - {aspect for aspect, _ in found})
    lines = unknown + [f"{aspect}: right now, but in known.tsv: "
                       f"{expected[aspect]}" for aspect in right]
    if lines:
        return "failed", lines, right
    if expected:
        return "known", sorted(set(expected.values())), []
    return "passed", [], []


class Tools:
    """What all cases share."""

    def __init__(self, options):
        self.witness = options.witness
        self.programs = {end: program for end, program
                         in (("producer", options.producer),
                             ("consumer", options.consumer)) if program}
        self.folder = pathlib.Path(options.media)
        self.kept = options.keep
        self.files = Media(options.media, options.witness)
        self.alone = {}
        names = sorted({name for row in rows.ROWS for name in elements_of(row)})
        self.missing = {name for program
                        in {self.witness, *self.programs.values()}
                        for name in missing(program, names)}

    def program(self, end):
        return self.programs.get(end, self.witness)

    def media(self, kind, name):
        if kind == "media":
            return self.files.file(name, rows.MEDIA[name])
        path = self.folder / name
        path.write_bytes(rows.TEXTS[name])
        return str(path)


def elements_of(row):
    text = " ".join([row.input, *row.tails] + [
        rows.MEDIA[name] for name in re.findall(r"\{media:([^}]*)\}",
                                                row.input)])
    words = re.findall(r"(?:^|! |\. |\} )([a-z]\w+)(?= |$)", text)
    return {word for word in words if not word.startswith("name")}


def is_usual(row, join, delivery):
    """What the normal run has of all cases."""
    if delivery == "live" and not (row.live or row.synced):
        return False
    return row.late or join == "first"


def cases(options, tools):
    """Those that the command line names. Seeks and pauses need their consumer
    from the first buffer on."""
    wanted = rows.GROUPS if "all" in options.groups else options.groups
    for row in rows.ROWS:
        if row.group not in wanted:
            continue
        for join in JOINS[:1] if row.seek or row.pause else JOINS:
            for delivery in DELIVERIES:
                case = Case(row, join, delivery, tools)
                if (options.full or is_usual(row, join, delivery)) \
                        and fnmatch.fnmatch(case.name, options.case):
                    yield case


def outcome_of(case, tools, known):
    lacking = sorted(elements_of(case.row) & tools.missing)
    if lacking:
        return "skipped", ["no " + ", ".join(lacking)], []
    return judge(case, known)


def show(number, case, outcome, lines):
    passed = "not ok" if outcome == "failed" else "ok"
    reason = {"skipped": " # SKIP ", "known": ", known to be wrong: "}.get(
        outcome, "")
    print(f"{passed} {number} - {case.name}"
          + (reason + "; ".join(lines) if reason else ""), flush=True)
    for line in case.remarks + (lines if outcome == "failed" else []):
        print(f"# {line[:700]}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("witness")
    parser.add_argument("media")
    parser.add_argument("groups", nargs="+", choices=[*rows.GROUPS, "all"])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--case", default="*")
    parser.add_argument("--producer")
    parser.add_argument("--consumer")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--keep")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    tools, known = Tools(options), Known()
    chosen = list(cases(options, tools))
    print(f"1..{len(chosen)}")
    results = {}
    for number, case in enumerate(chosen, 1):
        outcome, lines, right = outcome_of(case, tools, known)
        show(number, case, outcome, lines)
        results[case.name] = {"group": case.row.group, "outcome": outcome,
                              "lines": lines}
        if options.update:
            known.remove(case.name, right)
    if options.update:
        known.write()
    if options.json:
        before = json.loads(options.json.read_text()) \
            if options.json.exists() else {}
        options.json.write_text(json.dumps({**before, **results}, indent=1))
    sys.exit(any(each["outcome"] == "failed" for each in results.values()))


main()
