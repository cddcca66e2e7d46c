#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/merge: merge.py SOURCE MERGE. Three sources in any order; each buffer
arrives once, in the order of the instants, and no file is left."""
import os
import subprocess
import sys
import tempfile

NAMES = ["one", "two", "three"]
COUNT = 500
LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))  # seconds


def start(directory, *command):
    env = dict(os.environ, DATAHUB_SHM_DIR=directory)
    return subprocess.Popen(command, env=env, text=True,
                            stdout=subprocess.PIPE)


def run(source, merge, first):
    with tempfile.TemporaryDirectory(dir="/dev/shm",
                                     prefix="datahub-merge-") as directory:
        sources = [start(directory, source, name, str(COUNT))
                   for name in NAMES[:first]]
        merging = start(directory, merge, *NAMES)
        sources += [start(directory, source, name, str(COUNT))
                    for name in NAMES[first:]]
        output = merging.communicate(timeout=LIMIT)[0]
        for process in [merging, *sources]:
            assert process.wait(LIMIT) == 0, process.args
        assert not os.listdir(directory), os.listdir(directory)
        return [line.split() for line in output.splitlines()]


def main():
    source, merge = sys.argv[1:]
    for first in (0, 1, 3):
        lines = run(source, merge, first)
        instants = [int(line[0]) for line in lines]
        assert instants == sorted(instants)
        for name in NAMES:
            mine = [(int(line[2]), int(line[3])) for line in lines
                    if line[1] == name]
            assert mine == [(i, i) for i in range(COUNT)], name
        assert len(lines) == len(NAMES) * COUNT


main()
