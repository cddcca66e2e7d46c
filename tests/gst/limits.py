#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A refused resource ends no process with a signal: limits.py LIMITED DATAHUB
HELPER [--full] [PATTERN]

LIMITED is the program of limited.c, DATAHUB the command, HELPER the program of the
embedded broker. A row of limits_rows.py is a role, a resource and its values. Each
value is a process with that resource refused. What it may do is end by itself: with
data, or with an error that it prints. With --full all values are tried, otherwise a
sample of some rows. With PATTERN only the rows that contain it run. The output is
TAP, with the outcomes of each row.

Three roles are one of several processes:
  helper          the helper process; the streams that need its broker must flow, with
                  the broker in the process of the producer if there is no other way
  host            a producer that cannot start a helper
  serving broker  `datahub broker`, with clients that come; if it does not start, the
                  streams need none of it"""
import collections
import concurrent.futures
import os
import resource
import signal
import sys
import time

from limits_places import END_S, Places, enter, may_change_user, may_mount
from limits_rows import (COMMANDS, GROUPS, NEEDS_PRODUCER, PIPELINES, PRODUCER, ROWS,
                         SOURCE, Row)

REGISTRY = "fakesrc num-buffers=1 ! fakesink"
PATIENT_SOURCE = SOURCE.replace("timeout=2000", f"timeout={END_S // 2}000")

# All of what a host prints that has a broker, or will have none.
SETTLED = (b"hosts the broker", b"-> connected", b"cannot", b"warning", b"error")


class Limits:
    def __init__(self, limited, datahub, helper, places):
        self.limited, self.datahub, self.helper = limited, datahub, helper
        self.places = places

    def pipeline(self, how, line, kind="none", value=0):
        return [self.limited, kind, str(value), how, line]

    def make_registry(self):
        """A process that finds no registry loads all plugins, and some of them keep
        descriptors."""
        place = self.places.make(0, Row("registry", "none", []))
        place.run(*self.pipeline("pipeline", REGISTRY))
        place.remove()

    def start_producer(self, place, strict):
        """A producer that the broker knows; it serves until it is killed."""
        line = PRODUCER + (" strict=true" if strict else "")
        producer = place.start(self.pipeline("serve", line, "nofile", 1024))
        listed = ""
        while not (" broker " in listed and " ready " in listed):
            if time.monotonic() > producer.end or producer.process.poll() is not None:
                producer.process.kill()
                producer.finish()
                raise RuntimeError(f"no producer: {listed} {producer.said}")
            listed = place.run(self.datahub, "list")
        return producer

    def command(self, place, row, value):
        kind = "none" if " " in row.kind else row.kind
        if row.role in PIPELINES:
            return self.pipeline("pipeline", PIPELINES[row.role], kind, value)
        command = COMMANDS[row.role.removeprefix("serving ")]
        folder = place.runtime if " " in row.kind else place.files
        return [self.limited, kind, str(value), "run", self.datahub,
                *(word.replace("PLACE", str(folder)) for word in command)]

    def alone(self, place, row, value):
        output = place.start(self.command(place, row, value))
        # a broker serves until it is ended
        if row.role == "broker" and output.has(b"event=serving"):
            output.process.send_signal(signal.SIGINT)
        fault = output.judge()
        if not fault and row.role in PIPELINES and output.process.returncode > 1:
            fault = f"exit code {output.process.returncode}"
        return fault, output

    def stream(self, place, row, **environment):
        """A strict producer, and a source that needs the broker to find it. There is
        one in any case, unless the runtime directory is full."""
        source = SOURCE if " " in row.kind else PATIENT_SOURCE
        producer = place.start(self.pipeline("serve", PRODUCER + " strict=true"),
                               **environment)
        source = place.start(self.pipeline("pipeline", source), **environment)
        fault = source.judge()
        if source.process.returncode and " " not in row.kind:
            fault = fault or "no data"
        producer.process.kill()
        producer.finish()
        return fault, source

    def serving_broker(self, place, row, value):
        broker = place.start(self.command(place, row, value))
        served = broker.has(b"event=serving")
        fault, source = self.stream(place, row)
        if served:
            broker.process.send_signal(signal.SIGINT)
        return broker.judge() or fault, source

    def host(self, place, row, value):
        kind = "none" if " " in row.kind else row.kind
        host = place.start(
            self.pipeline("serve", PRODUCER + " strict=true", kind, value),
            DATAHUB_BROKER_HELPER="/nonexistent", G_MESSAGES_DEBUG="datahub")
        host.has(*SETTLED)
        source = place.start(self.pipeline("pipeline", SOURCE))
        fault = source.judge()
        host.process.terminate()
        end = host.judge()
        return "" if end == "ended by SIGTERM" else end or fault, source

    def helper_(self, place, row, value):
        """A shell keeps the exit codes of the helpers, of which there can be some. One
        of the value before may not have begun yet."""
        script = place.files / f"helper-{value}"
        status = place.files / f"status-{value}"
        kind = "none" if " " in row.kind else row.kind
        script.write_text(
            f"#!/bin/sh\nexec 4>&2 2>/dev/null\necho begin >>{status}\n"
            f"{self.limited} {kind} {value} run {self.helper} helper 2>&4 4>&-\n"
            f"echo end $? >>{status}\n")
        script.chmod(0o755)
        status.write_text("")
        if place.user:
            os.chown(status, place.user, place.user)
        fault, source = self.stream(place, row, DATAHUB_BROKER_HELPER=str(script))
        codes = wait_for_ends(status)
        if codes is None:
            return "a helper does not end", source
        # 127: the loader gets no addresses for a library
        expected = {0, 1, 127} if row.kind == "as" else {0, 1}
        if not expected.issuperset(codes) or not codes and " " not in row.kind:
            return f"exit codes of helpers: {codes}", source
        return fault, source

    def run(self, number, row, values):
        """Yields value, what is wrong, and the output."""
        method = {"helper": self.helper_, "host": self.host,
                  "serving broker": self.serving_broker}.get(row.role, self.alone)
        place = self.places.make(number, row)
        others = []
        try:
            if row.role in NEEDS_PRODUCER and not (row.kind == "nproc"
                                                   or " " in row.kind):
                others.append(self.start_producer(place, "strict" in row.role))
            for value in values:
                if " " in row.kind:
                    place.fill(row.kind, value)
                elif row.role in GROUPS:
                    place.move(value)
                yield value, *method(place, row, value)
                place.empty()
        finally:
            for other in others:
                other.process.kill()
                other.finish()
            place.remove()


def wait_for_ends(status):
    """The exit codes in the file, when all that began have ended."""
    end = time.monotonic() + END_S
    while time.monotonic() < end:
        words = status.read_text().split()
        codes = [int(code) for word, code in zip(words, words[1:]) if word == "end"]
        if words.count("begin") == words.count("end") == len(codes):
            return codes
        time.sleep(0.02)  # between two looks
    return None


def skipped(row):
    if row.kind == "nproc" and not may_change_user():
        return "needs other users"
    if " " in row.kind and not may_mount():
        return "needs a mount namespace"
    if row.kind == "as" and os.environ.get("DATAHUB_TEST_SANITIZED"):
        return "a sanitizer takes more addresses than that"
    return ""


def outcome_of(output):
    if output.process.returncode:
        return "error"
    return "data, warned" if "warning" in output.said else "data"


class Judgement:
    def __init__(self, limits, number, row, full):
        self.faults, self.outcomes = [], collections.Counter()
        self.values = row.values[::1 if full else row.every]
        for value, fault, output in limits.run(number, row, self.values):
            if not fault and row.words not in output.said:
                fault = f'does not mention "{row.words}"'
            if fault:
                self.faults.append(
                    f"{row.kind} {value}: {fault}: {output.said[-600:]}")
            self.outcomes[outcome_of(output)] += 1

    def report(self, number, row):
        outcomes = ", ".join(f"{n} {what}" for what, n in self.outcomes.items())
        print(f"{'not ' if self.faults else ''}ok {number} - {row.name}:"
              f" {len(self.values)} values: {outcomes}")
        for fault in self.faults:
            print("# " + fault.replace("\n", "\n#   "))
        sys.stdout.flush()


def main():
    enter()
    arguments = [word for word in sys.argv[1:] if word != "--full"]
    full = len(arguments) < len(sys.argv) - 1
    rows = [row for row in ROWS if not arguments[3:] or arguments[3] in row.name]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    failed = False
    with Places() as places, concurrent.futures.ThreadPoolExecutor(4) as pool:
        limits = Limits(*map(os.path.abspath, arguments[:3]), places)
        limits.make_registry()
        jobs = [None if skipped(row)
                else pool.submit(Judgement, limits, number, row, full)
                for number, row in enumerate(rows, 1)]
        print(f"1..{len(rows)}")
        for number, (row, job) in enumerate(zip(rows, jobs), 1):
            if not job:
                print(f"ok {number} - {row.name} # SKIP {skipped(row)}")
                continue
            judgement = job.result()
            judgement.report(number, row)
            failed = failed or bool(judgement.faults)
    sys.exit(failed)


if __name__ == "__main__":
    main()
