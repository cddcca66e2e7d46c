#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions are short and flat, and files hold one idea: sizes.py CHECK."""
import re
import statistics

from house import c_files, check, lines, main

MEDIAN, P90, LONGEST, DEEPEST = 12, 25, 64, 4
LONGEST_FILE = 600
# Files that were longer when the limit came, with their lines then. A number here
# only goes down, and a file that is short enough leaves the table.
LONGER_FILES = {
}
CONTROL = re.compile(r"( +)(?:if|for|while|switch|do)\b")


def functions(path):
    """(LINE, NAME, BODY) of each function of a file in the format of the house:
    its name is at the start of a line, its braces are alone on theirs."""
    texts = [text for _, text in lines(path)]
    start = None
    for number, text in enumerate(texts):
        if text == "{":
            name = number - 1
            while name > 0 and texts[name].startswith(" "):
                name -= 1
            match = re.match(r"(\w+) \(", texts[name])
            start = number if match else None
        elif text == "}" and start is not None:
            yield start + 1, match.group(1), texts[start + 1:number]
            start = None


def nesting(body):
    """How many control statements the innermost one is deep in, itself counted;
    a case label counts as well."""
    indents = [len(match.group(1)) // 2 for match in map(CONTROL.match, body)
               if match]
    return max(indents, default=0)


@check
def function_size():
    """Functions of lib/ and gst/: lines between the braces, and nesting."""
    sizes = []
    for path in c_files("lib/", "gst/"):
        for number, name, body in functions(path):
            sizes.append(len(body))
            if len(body) > LONGEST:
                yield path, number, (f"{name} has {len(body)} lines, more than "
                                     f"{LONGEST}")
            if nesting(body) > DEEPEST:
                yield path, number, (f"{name} nests {nesting(body)} deep, more "
                                     f"than {DEEPEST}")
    if not sizes:
        yield "lib", 0, "no functions"
        return
    sizes.sort()
    median, p90 = statistics.median(sizes), sizes[len(sizes) * 9 // 10]
    print(f"{len(sizes)} functions: median {median:g}, p90 {p90}, "
          f"max {sizes[-1]} lines")
    if median > MEDIAN:
        yield "lib", 0, f"the median is {median:g} lines, more than {MEDIAN}"
    if p90 > P90:
        yield "lib", 0, f"one function in ten is over {P90} lines: p90 is {p90}"


@check
def file_size():
    """No C file has more than 600 lines, or more than the table allows it."""
    longer = dict(LONGER_FILES)
    for path in c_files():
        count = sum(1 for _ in lines(path))
        limit = longer.get(str(path), LONGEST_FILE)
        if count > limit:
            yield path, count, f"{count} lines, more than {limit}"
        if count > LONGEST_FILE:
            longer.pop(str(path), None)
    for name in longer:
        yield name, 0, "needs no entry in LONGER_FILES of sizes.py any more"


if __name__ == "__main__":
    main()
