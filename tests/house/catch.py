#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each house check is tried on a copy of the tree: it passes there, and fails
when a breach is planted, with its file and its name: catch.py BUILD LIBRARY
CORE HELPER COMPILER... Prints TAP."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from house import ROOT, c_files, tree

BUILD, LIBRARY, CORE, HELPER = map(pathlib.Path, sys.argv[1:5])
COMPILER = sys.argv[5:]
FOLDERS = ("lib/", "gst/", "tests/", "examples/", "docs/", "README.md",
           "NEWS")
SPDX = "/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
BELOW, ABOVE = "lib/core/base/planted-below.c", "lib/core/doctor/planted-above.c"
CALL = SPDX + "void {0} (void);\nvoid planted_below (void);\n" \
    "void\nplanted_below (void)\n{{\n  {0} ();\n}}\n"
EMPTY = SPDX + "void {0} (void);\nvoid\n{0} (void)\n{{\n}}\n"
# The checks read this file, too.
WORSE = "Some" + "body sa" + "ys wh" + "o to" + "ld wh" + "om."
MARK = "TO" + "DO"
HOME = "/ho" + "me/someone"


class Copy:
    """A copy of the tree, with the object files of the build it was copied from
    and those of the files that are planted."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder).resolve()
        self.build = self.root / "build"
        self.build.mkdir()
        for path in tree():
            if str(path).startswith(FOLDERS):
                target = self.root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, target)
        for name in ("lib", "meson-info"):
            os.symlink(BUILD / name, self.build / name)
        commands = json.loads((BUILD / "compile_commands.json").read_text())
        self.commands = [
            {"file": str(self.root / self.source(each)), "output": each["output"]}
            for each in commands if self.source(each)]
        self.write_commands()

    @staticmethod
    def source(command):
        path = (BUILD / command["file"]).resolve()
        return path.relative_to(ROOT) if path.is_relative_to(ROOT) else None

    def write_commands(self, more=()):
        (self.build / "compile_commands.json").write_text(
            json.dumps(self.commands + list(more)))

    def target(self, target):
        return str(self.build / target.relative_to(BUILD))

    def compile(self, path):
        target = "planted.a.p/" + pathlib.Path(path).name + ".o"
        output = self.build / target
        output.parent.mkdir(exist_ok=True)
        subprocess.run([*COMPILER, "-fvisibility=hidden", "-c",
                        self.root / path, "-o", output], check=True)
        return {"file": str(self.root / path), "output": target}

    def run(self, script, *arguments):
        run = subprocess.run(
            [sys.executable, self.root / "tests/house" / script, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return run.returncode, run.stdout


class Planted:
    """Changes files of the copy for a while: {path: text, or (old, new)}."""

    def __init__(self, copy, changes, compiles):
        self.copy, self.changes, self.compiles = copy, changes, compiles
        self.before = {}

    def __enter__(self):
        for name, change in self.changes.items():
            path = self.copy.root / name
            self.before[path] = path.read_text() if path.exists() else None
            if isinstance(change, tuple):
                if not re.search(change[0], self.before[path], re.M):
                    raise LookupError(f"{name} has no {change[0]}")
                change = re.sub(*change, self.before[path], count=1, flags=re.M)
            path.write_text(change)
        self.copy.write_commands(
            [self.copy.compile(name) for name in self.changes if self.compiles])

    def __exit__(self, *_):
        for path, text in self.before.items():
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.copy.write_commands()


def include(name):
    """A change of a file: one include more."""
    return (r"^#include", f'#include "{name}"\n#include')


def function(count, statement="  call ();\n"):
    return f"\nstatic void\nplanted_long (void)\n{{\n{statement * count}}}\n"


NESTED = "".join("  " * n + "if (x)\n" for n in range(1, 6)) + " " * 12 + "y ();\n"

# What is planted: the check, the changes, and what its output has.
BREACHES = {
    "folder-order": [
        ({"lib/core/os/os-linux.c": include("core/doctor/repair-private.h")},
         "lib/core/os/os-linux.c:", "core/doctor/repair-private.h",
         "core/os comes before core/doctor"),
        ({"lib/core/consumer/consumer.c":
          include("core/producer/producer-private.h")},
         "lib/core/consumer/consumer.c:", "core/producer/producer-private.h"),
        ({"lib/core/doctor/repair.c": include("control/wire/message-private.h")},
         "lib/core/doctor/repair.c:", "control/wire/message-private.h"),
        ({"lib/control/hub/hub.c": include("message-private.h")},
         "lib/control/hub/hub.c:", "message-private.h", "name the folder"),
        ({"lib/control/hub/hub.c": include("control/hub/hub-private.h")},
         "lib/control/hub/hub.c:", "leave out the folder"),
        ({"lib/control/hub/hub.c": include("../wire/message-private.h")},
         "lib/control/hub/hub.c:", "../wire/message-private.h"),
        ({"lib/datahub/zone.h": include("core/base/names-private.h")},
         "lib/datahub/zone.h:", "core/base/names-private.h"),
        ({"lib/core/planted.c": SPDX}, "lib/core/planted.c:",
         "no place in the order"),
    ],
    "symbol-order": [
        ({BELOW: CALL.format("planted_above"),
          ABOVE: EMPTY.format("planted_above")},
         f"{BELOW}:", "planted_above", ABOVE, "core/base", "core/doctor"),
        ({BELOW: CALL.format("datahub_doctor_planted"),
          ABOVE: EMPTY.format("datahub_doctor_planted")},
         f"{BELOW}:", "datahub_doctor_planted", ABOVE),
        ({"lib/core/producer/planted-peer.c": CALL.format("planted_beside"),
          "lib/core/consumer/planted-peer2.c": EMPTY.format("planted_beside")},
         "lib/core/producer/planted-peer.c:", "planted_beside"),
    ],
    "private-symbols": [
        ({BELOW: EMPTY.format("datahub_planted")}, f"{BELOW}:2:",
         "datahub_planted"),
        ({"gst/planted.c": EMPTY.format("datahub_planted")}, "gst/planted.c:2:",
         "datahub_planted"),
    ],
    "public-symbols": [
        ({"lib/datahub/zone.h": (r"^DATAHUB_API",
                                 r"void datahub_planted (void);\n\g<0>")},
         "datahub_planted", "is not exported"),
        ({"lib/datahub/zone.h": (r"datahub_consumer_read_zone \(", "datahub_other (")},
         "exports datahub_consumer_read_zone", "no installed header declares"),
        ({"lib/datahub/planted.h": SPDX}, "lib/datahub/planted.h:1:",
         "is not installed"),
    ],
    "private-names": [
        ({"lib/core/base/names-private.h":
          (r"^#include", "typedef struct DatahubPlanted DatahubPlanted;\n#include")},
         "lib/core/base/names-private.h:", "DatahubPlanted"),
        ({"lib/control/wire/message-private.h":
          (r"^#include", "#define DATAHUB_PLANTED 1\n#include")},
         "lib/control/wire/message-private.h:", "DATAHUB_PLANTED"),
    ],
    "function-size": [
        ({BELOW: SPDX + function(65)}, f"{BELOW}:5:", "planted_long has 65 lines"),
        ({BELOW: SPDX + function(1, NESTED)}, f"{BELOW}:5:",
         "planted_long nests 5 deep"),
        ({BELOW: SPDX + function(26) * 400}, "p90 is 26"),
        ({BELOW: SPDX + function(13) * 4000}, "the median is 13"),
    ],
    "file-size": [
        ({"lib/core/base/planted.h": SPDX * 601}, "lib/core/base/planted.h:601:"),
        ({"tests/house/sizes.py": (r"^LONGER_FILES = {", r'\g<0>"gst/gone.c": 700, ')},
         "gst/gone.c:", "needs no entry"),
    ],
    "walks": [
        ({"gst/gstdatahubwriter.c": (r"^  commit->type = DATAHUB_RECORD_BUFFER;",
                                     r"\g<0>\n  gst_datahub_event_is_context (0);")},
         "docs/architecture.md:", "describe calls gst_datahub_event_is_context of "
         "gst/gstdatahubevents.c"),
        ({"gst/gstdatahubfeed.c": (r"return gst_datahub_lease_make_buffer",
                                   "gst_datahub_lease_make_buffer")},
         "docs/architecture.md:", "gst_datahub_feed_make_buffer of "
         "gst/gstdatahubfeed.c does more than return"),
        ({"gst/gstdatahublease.c": (r"^gst_datahub_lease_make_buffer",
                                    "gst_datahub_planted")},
         "docs/architecture.md:",
         "gst/gstdatahublease.c has no function gst_datahub_lease_make_buffer"),
        ({"gst/gstdatahubreader.c": (r"return gst_datahub_feed_make_buffer",
                                     "return gst_datahub_planted")},
         "docs/architecture.md:", "gst/gstdatahubreader.c does not call "
         "gst_datahub_feed_make_buffer"),
        ({"docs/architecture.md": (r"^(\| )6( \| `gst/gstdatahubwriter.c` .*)$",
                                   r"\g<0>\n| 7 | `gst/gstdatahubsink.c` | "
                                   "`write_buffers` |")},
         "docs/architecture.md:", "7 rows, more than 6"),
        ({"docs/architecture.md": (r"^\| `tell_context`",
                                   r"| `push_segment`, `tell_context`")},
         "docs/architecture.md:", "push_segment is not called on the walk"),
    ],
    "language": [
        ({"docs/testing.md": (r"\Z", f"\n{(WORSE + ' ') * 9}")},
         "docs/testing.md: prose:", "wh" + "om"),
        ({"lib/datahub/zone.h": (r"\Z", f"/* {WORSE} */\n" * 9)},
         "lib/datahub/zone.h: comments:", "wh" + "om"),
        ({BELOW: SPDX + f"/* {WORSE} */\n"}, f"{BELOW}: comments:", "wh" + "om"),
    ],
    "tests-named": [
        ({"lib/core/base/names.c": (r"Tests: ", "Tested: ")},
         "lib/core/base/names.c:", "names no tests"),
        ({"gst/gstdatahubmeta.c": (r"Tests: ", "Tests: gst-planted, ")},
         "gst/gstdatahubmeta.c:", "there is no test gst-planted"),
    ],
    "spdx": [({BELOW: "int planted;\n"}, f"{BELOW}:1:")],
    "no-marks": [({BELOW: SPDX + f"/* {MARK} */\n"}, f"{BELOW}:2:", MARK)],
    "no-machine-paths": [({"docs/planted.md": HOME + "\n"}, "docs/planted.md:1:")],
    "private-headers": [
        ({"gst/gstdatahub.c": include("core/block/block-private.h")},
         "gst/gstdatahub.c:", "block-private.h")],
    "atomics-in-one-place": [
        ({BELOW: SPDX + "#define PLANTED __ATOMIC_SEQ_CST\n"}, f"{BELOW}:2:")],
    "elements-apart": [
        ({"gst/gstdatahubsink.c": include("gstdatahubsrc.h")},
         "gst/gstdatahubsink.c:", "gstdatahubsrc.h")],
    "elements-over-public-api": [
        ({"lib/cli/main.c": include("../core/block/block-private.h")},
         "lib/cli/main.c:", "block-private.h")],
    "no-sleep-in-tests": [
        ({"tests/common/check.c": (r"^#include", "void f () { usleep (1); }\n#include")},
         "tests/common/check.c:", "not for an event")],
}
# Checks that read object files.
OF_OBJECTS = ("symbol-order", "private-symbols")


def arguments(copy, check):
    """The command line of a check, but for its script."""
    if check == "language":
        return []
    planted = str(copy.build / "planted.a")
    headers = [path.name for path in c_files("lib/datahub/")]
    return [check, *{
        "symbol-order": [copy.build, copy.target(CORE), copy.target(LIBRARY),
                         copy.target(HELPER), planted],
        "private-symbols": [copy.build, copy.target(LIBRARY), copy.target(CORE),
                            copy.target(HELPER), planted],
        "tests-named": [copy.build],
        "public-symbols": [LIBRARY, *headers, "--", *COMPILER],
    }.get(check, [])]


def script_of(check):
    if check == "language":
        return "language.py"
    for script in ("folders.py", "sizes.py", "walks.py", "checks.py"):
        text = (ROOT / "tests/house" / script).read_text()
        if f"@check\ndef {check.replace('-', '_')}(" in text:
            return script
    raise LookupError(f"no script has the check {check}")


def trials(copy):
    """(NAME, PASSED, OUTPUT) of each check on the clean copy and on each plant."""
    for check, plants in BREACHES.items():
        command = [script_of(check), *arguments(copy, check)]
        code, output = copy.run(*command)
        yield f"{check} passes on the clean copy", code == 0, output
        for number, (changes, *wanted) in enumerate(plants, 1):
            with Planted(copy, changes, check in OF_OBJECTS):
                code, output = copy.run(*command)
            caught = code == 1 and all(word in output for word in wanted)
            yield (f"{check} catches plant {number} in {next(iter(changes))}",
                   caught, output)


def main():
    failed = count = 0
    with tempfile.TemporaryDirectory(prefix="house-") as folder:
        for name, passed, output in trials(Copy(folder)):
            count += 1
            print(("ok" if passed else "not ok"), count, "-", name, flush=True)
            if not passed:
                failed += 1
                print("".join(f"# {line}\n" for line in output.splitlines()))
    print(f"1..{count}")
    sys.exit(1 if failed else 0)


main()
