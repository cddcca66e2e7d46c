#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the litmus tests: do the pairs of steps hold on ARM, and in C11?

run.py herd7 FILE...   with herd7, where it is installed; else exits with 77
run.py small FILE...   the AArch64 ones, with the small checker below

Each file says in its comment what is expected of the bad outcome that its last
line describes: Never, or for a weakened pair Sometimes. Prints TAP.

The small checker enumerates the executions of a test and keeps those that the
axioms of ARMv8's memory model allow, as far as these tests need them: internal
visibility, atomicity, and external visibility with the order that acquire,
release and atomic instructions, and DMB ISH, keep. No dependencies: it allows
more than a processor does, never less.
"""
import itertools
import pathlib
import re
import shutil
import subprocess
import sys

SKIP = 77
INSTRUCTION = re.compile(r"(\w+) +(.*)")
RMW = {"LDSET": lambda old, arg: old | arg,
       "LDCLR": lambda old, arg: old & ~arg}


class Event:
    """A read or write of one thread; `order` is "", A, Q or L."""

    def __init__(self, thread, kind, place, order):
        self.thread, self.kind, self.place = thread, kind, place
        self.order = order
        self.compute = None  # of a write: its value, or None if it is not done
        self.pair = None  # of an atomic's write: its read
        self.register = None  # of a read
        self.fences = 0  # of the thread, before it


def split(text):
    """The thread's programs, initial memory, registers, condition."""
    body = text.split("*)", 1)[1]
    start, rest = body.split("}", 1)
    memory = {name: int(value) for name, value
              in re.findall(r"int64_t (\w+)=(\d+)", start)}
    places = {(int(thread), register): name for thread, register, name
              in re.findall(r"(\d+):(X\d+)=([a-z]\w*)", start)}
    code, condition = rest.split("exists", 1)
    rows = [[cell.strip() for cell in row.split("|")]
            for row in code.split(";") if row.strip()]
    threads = [[row[i] for row in rows[1:] if row[i]]
               for i in range(len(rows[0]))]
    return threads, memory, places, condition


def constant(number):
    return lambda values: number


def compile_thread(thread, code, places):
    """The events of one thread in program order."""
    events, registers, fences = [], {}, []
    for line in code:
        if line == "DMB ISH":
            fences.append(len(events))
            continue
        name, operands = INSTRUCTION.match(line).groups()
        operands = [part.strip("[] ") for part in operands.split(",")]
        if name == "MOV":
            registers[operands[0]] = int(operands[1].lstrip("#"))
            continue
        place = places[(thread, operands[-1])]
        if name in ("LDR", "LDAR", "LDAPR"):
            order = {"LDR": "", "LDAR": "A", "LDAPR": "Q"}[name]
            read = Event(thread, "R", place, order)
            read.register = operands[0]
            events.append(read)
        elif name in ("STR", "STLR"):
            write = Event(thread, "W", place, "L" if name == "STLR" else "")
            write.compute = constant(registers[operands[0]])
            events.append(write)
        else:
            events += atomic(thread, name, operands, place, registers)
    for i, event in enumerate(events):
        event.fences = sum(at <= i for at in fences)
    return events


def atomic(thread, name, operands, place, registers):
    """LDSET, LDCLR and CAS, alone or with A, L, AL."""
    base, suffix = re.fullmatch(r"(LDSET|LDCLR|CAS)(A?L?)", name).groups()
    read = Event(thread, "R", place, "A" if "A" in suffix else "")
    write = Event(thread, "W", place, "L" if "L" in suffix else "")
    write.pair = read
    if base == "CAS":
        expected, desired = registers[operands[0]], registers[operands[1]]
        read.register = operands[0]
        write.compute = lambda values: (
            desired if values[read] == expected else None)
    else:
        arg = registers[operands[0]]
        read.register = operands[1]
        write.compute = lambda values: RMW[base](values[read], arg)
    return [read, write]


def is_acyclic(events, edges):
    """Whether the relation, a set of pairs, has no cycle."""
    after = {event: [] for event in events}
    for one, other in edges:
        after[one].append(other)
    state = {}

    def visit(event):
        state[event] = 1
        for other in after[event]:
            if state.get(other) == 1 or (other not in state
                                         and not visit(other)):
                return False
        state[event] = 2
        return True

    return all(event in state or visit(event) for event in events)


def valued(events, sources, memory):
    """Values of all events, where each read takes that of its source; None
    where that makes no sense."""
    values = {}
    for _ in range(len(events) + 1):
        for event in events:
            if event.kind == "R":
                source = sources[event]
                if source is None:
                    values[event] = memory[event.place]
                elif source in values:
                    values[event] = values[source]
            elif event.pair is None or event.pair in values:
                values[event] = event.compute(values)
    if any(event not in values for event in events) or any(
            values[event] is None for event in events if event.kind == "R"):
        return None
    return values


def program_order(events):
    return [(one, other) for i, one in enumerate(events)
            for other in events[i + 1:] if one.thread == other.thread]


def is_allowed(events, sources, orders):
    """The axioms. @orders: the writes to each place, first to last."""
    rank = {write: i for order in orders.values()
            for i, write in enumerate(order)}
    coherence = {(a, b) for order in orders.values()
                 for a, b in itertools.combinations(order, 2)}
    reads_from = {(source, read) for read, source in sources.items() if source}
    from_reads = {(read, write) for read, source in sources.items()
                  for write in orders.get(read.place, ())
                  if source is None or rank[write] > rank[source]}
    po = [(a, b) for a, b in program_order(events)]
    communication = coherence | reads_from | from_reads
    if not is_acyclic(events, communication | {
            (a, b) for a, b in po if a.place == b.place}):
        return False
    for write in rank:
        if write.pair is None:
            continue
        source = sources[write.pair]
        if rank[write] != (0 if source is None else rank[source] + 1):
            return False
    observed = {(a, b) for a, b in communication if a.thread != b.thread}
    kept = {(a, b) for a, b in po
            if (a.kind == "R" and a.order in ("A", "Q") and a.order)
            or a.fences < b.fences
            or b.order == "L"
            or (a.order == "L" and b.order == "A")
            or b.pair is a}
    kept |= {(write, read) for write, read in reads_from
             if write.pair is not None and read.order in ("A", "Q")
             and read.order}
    return is_acyclic(events, observed | kept)


def executions(text):
    """The registers at the end of each allowed execution."""
    threads, memory, places, condition = split(text)
    everything = [event for i, code in enumerate(threads)
                  for event in compile_thread(i, code, places)]
    reads = [event for event in everything if event.kind == "R"]
    choices = [[None] + [write for write in everything if write.kind == "W"
                         and write.place == read.place
                         and write.pair is not read] for read in reads]
    for chosen in itertools.product(*choices):
        sources = dict(zip(reads, chosen))
        values = valued(everything, sources, memory)
        if values is None:
            continue
        events = [event for event in everything if values[event] is not None]
        writes = {}
        for event in events:
            if event.kind == "W":
                writes.setdefault(event.place, []).append(event)
        for orders in itertools.product(
                *(itertools.permutations(one) for one in writes.values())):
            if is_allowed(events, sources, dict(zip(writes, orders))):
                yield {(read.thread, read.register): values[read]
                       for read in reads}, condition


def holds(condition, registers):
    """Evaluates "(0:X2=0 /\\ 1:X2=1)"."""
    text = condition.replace("/\\", " and ").replace("\\/", " or ")
    text = re.sub(r"(\d+):(X\d+)=(\d+)", lambda found: str(
        registers[(int(found[1]), found[2])] == int(found[3])), text)
    return eval(text.strip(), {"__builtins__": {}})  # of a file of ours


def small(text):
    outcomes = [holds(condition, registers)
                for registers, condition in executions(text)]
    if not outcomes:
        return "no execution at all"
    return ("Always" if all(outcomes) else
            "Sometimes" if any(outcomes) else "Never")


def herd7(path):
    done = subprocess.run(["herd7", str(path)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = re.search(r"Observation \S+ (\w+)", done.stdout)
    return found.group(1) if found else done.stdout.strip()[-300:]


def main():
    which, *paths = sys.argv[1:]
    paths = [pathlib.Path(path) for path in paths]
    if which == "herd7" and not shutil.which("herd7"):
        print(f"SKIPPED: herd7 is not installed (Debian 12 has none): "
              f"{len(paths)} litmus tests were NOT run")
        return SKIP
    bad = 0
    print(f"1..{len(paths)}")
    for i, path in enumerate(paths, 1):
        text = path.read_text()
        expected = re.search(r"Expected: (\w+)", text).group(1)
        seen = herd7(path) if which == "herd7" else small(text)
        bad += seen != expected
        print(f"{'ok' if seen == expected else 'not ok'} {i} - {path.stem}: "
              f"the bad outcome is seen {seen}, expected {expected}")
    return 1 if bad else 0


sys.exit(main())
