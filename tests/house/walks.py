#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The path of a buffer through the files of gst/: walks.py CHECK."""
import re

from house import ROOT, c_files, check, main
from sizes import functions

PAGE = "docs/architecture.md"
# Of the page: the heading of a walk, the most rows it may have, not counting those
# with the number 0, and the call of the library in its first or last row.
WALKS = [("From render to the commit", 6, "datahub_producer_commit_batch", -1),
         ("From the read to the pad", 7, "datahub_consumer_begin_read", 0)]
ROW = re.compile(r"\| (\d+) \| `(gst/\w+\.c)` \| (.+) \|$")
EXCEPTION = re.compile(r"\| (`\w+`(?:, `\w+`)*) \| (.+) \|$")
NAME = re.compile(r"`(\w+)`")
CALL = re.compile(r"\b(\w+) \(")
RETURN = re.compile(r"\breturn\b([^;]*);")


class Walk:
    def __init__(self, heading):
        self.rows, self.counted, self.exceptions, self.number = [], [], {}, 0
        inside = False
        for number, line in enumerate(
                (ROOT / PAGE).read_text().splitlines(), 1):
            if line.startswith("#"):
                inside = line.lstrip("# ") == heading
                self.number = number if inside else self.number
            row = ROW.match(line) if inside else None
            other = EXCEPTION.match(line) if inside and not row else None
            if row:
                self.rows.append((number, row[2], NAME.findall(row[3])))
                if row[1] != "0":
                    self.counted.append((row[1], *self.rows[-1]))
            elif other:
                self.exceptions |= dict.fromkeys(NAME.findall(other[1]), number)


class Function:
    def __init__(self, body):
        text = "\n".join(body)
        self.calls = CALL.findall(text)
        # It does nothing after these but return.
        self.tails = [name for statement in RETURN.findall(text)
                      for name in CALL.findall(statement)]


def sources():
    """{FILE: {NAME: Function}} of gst/."""
    return {str(path): {name: Function(body)
                        for _, name, body in functions(path)}
            for path in c_files("gst/") if path.suffix == ".c"}


def goes_on(known, names, entry, callee):
    """The functions, of those of a file with @names, that do more than return after
    the call of @callee that @entry has made."""
    for name in names:
        if callee in known[name].calls and name != callee:
            if callee not in known[name].tails:
                yield name
            if name != entry:
                yield from goes_on(known, names, entry, name)


def order(walk, files):
    """Each row is reached: the row before calls its first function; or the file is
    one that called on the way to the row before, and goes on. Each other function
    of a row is called by one of the same file."""
    stack, listed = [], {}  # of (FILE, the function that was called there)
    for number, file, names in walk.rows:
        known = listed.setdefault(file, set())
        first = names[0]
        for name in names:
            if name not in files.get(file, {}):
                yield number, f"{file} has no function {name}"
                return
        open_files = [caller for caller, _ in stack]
        if file in open_files:
            back = open_files.index(file) + 1
            for (caller, entry), (_, callee) in zip(stack[back:], stack[back + 1:]):
                for name in goes_on(files[caller], listed[caller], entry, callee):
                    yield number, (f"{name} of {caller} does more than return: it "
                                   "needs a row")
            del stack[back:]
        else:
            if stack and not any(first in files[stack[-1][0]][name].calls
                                 for name in listed[stack[-1][0]]):
                yield number, f"{stack[-1][0]} does not call {first} on the walk"
            known.add(first)
            stack.append((file, first))
        for name in names:
            if name not in known and not any(name in files[file][caller].calls
                                             for caller in known):
                yield number, f"{name} is not called on the walk in {file}"
            known.add(name)


def completeness(walk, files):
    """What the walk calls in another file is in a row, or is an exception. So is
    what the functions of the same file call that are neither."""
    listed = {(file, name) for _, file, names in walk.rows for name in names}
    home = {name: file for file, known in files.items() for name in known
            if name.startswith("gst_datahub_")}
    used = set()
    for number, file, names in walk.rows:
        todo = list(names)
        for caller in todo:
            for name in files[file][caller].calls:
                target = file if name in files[file] else home.get(name)
                if name in walk.exceptions:
                    used.add(name)
                elif target == file and name not in todo:
                    todo.append(name)
                elif target and target != file and (target, name) not in listed:
                    yield number, (f"{caller} calls {name} of {target}, which is "
                                   "neither in a row nor an exception")
    for name, number in walk.exceptions.items():
        if name not in used:
            yield number, f"{name} is not called on the walk: no exception"


@check
def walks():
    """The walks of docs/architecture.md are those of the sources, and short."""
    files = sources()
    for heading, most, call, at in WALKS:
        walk = Walk(heading)
        if not walk.rows:
            yield PAGE, 0, f"has no walk \"{heading}\""
            continue
        if len(walk.counted) > most:
            yield PAGE, walk.number, (f"{len(walk.counted)} rows, more than {most}: "
                                      f"{heading}")
        if [int(row[0]) for row in walk.counted] != [*range(1, len(walk.counted) + 1)]:
            yield PAGE, walk.number, f"the rows are not numbered: {heading}"
        breaches = list(order(walk, files))
        number, file, names = walk.counted[at][1:]
        if not breaches and not any(call in files[file][name].calls for name in names):
            breaches.append((number, f"{file} does not call {call} there"))
        if not breaches:
            breaches = completeness(walk, files)
        for number, what in breaches:
            yield PAGE, number, what


if __name__ == "__main__":
    main()
