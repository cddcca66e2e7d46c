#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The target "programs", which the main job builds, has every program, library
and plugin of lib, gst and examples: programs.py SOURCE_DIR BUILD_DIR."""
import json
import os
import pathlib
import subprocess
import sys

SOURCE, BUILD = map(pathlib.Path, sys.argv[1:3])
KINDS = ("executable", "shared library", "shared module")
FOLDERS = ("lib", "gst", "examples")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True,
                          check=True).stdout


def wanted():
    """What a user runs, by its name relative to the build folder."""
    for target in json.loads(output("meson", "introspect", "--targets", BUILD)):
        folder = os.path.relpath(target["defined_in"], SOURCE)
        if target["type"] in KINDS and folder.split(os.sep)[0] in FOLDERS:
            yield from (os.path.relpath(name, BUILD)
                        for name in target["filename"])


def main():
    query = output("ninja", "-C", BUILD, "-t", "query", "programs")
    inputs = query.split("outputs:")[0]
    built = {line.strip(" |") for line in inputs.splitlines()}
    names = list(wanted())
    print(f"{len(names)} programs: {' '.join(names)}")
    missing = [name for name in names if name not in built]
    for name in missing:
        print(f"{name} is not built by the main job: see alias_target() in"
              " meson.build")
    sys.exit(1 if missing or not names else 0)


main()
