#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rules of the house that a machine can hold: checks.py CHECK [ARGS]."""
import itertools
import json
import pathlib
import re
import shlex
import subprocess
import sys

from house import (ROOT, SOURCE_SUFFIXES, c_files, check, includes, lines, main,
                   need, text_files, tree)


@check
def spdx():
    """Every source names its licence in its first lines."""
    for path in text_files():
        head = [line for number, line in lines(path) if number <= 3]
        is_source = (path.suffix in SOURCE_SUFFIXES
                     or path.name in ("meson.build", "meson_options.txt")
                     or (head and head[0].startswith("#!")))
        if is_source and not any("SPDX-License-Identifier: "
                                 "LGPL-2.1-or-later" in h for h in head):
            yield path, 1, "no SPDX line"


@check
def no_marks():
    """Nothing is left for later."""
    marks = re.compile(r"\b(" + "|".join(
        ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
    for path in text_files():
        if path.name == "LICENSE":
            continue
        for number, line in lines(path):
            match = marks.search(line)
            if match:
                yield path, number, f"the mark {match.group(1)}"


@check
def no_machine_paths():
    """Nothing names the folders of one person's machine."""
    paths = re.compile(r"(?<![\w.$}])/(?:work|home|root|Users)/\w")
    for path in text_files():
        for number, line in lines(path):
            if paths.search(line):
                yield path, number, "a path of one machine"


@check
def private_headers():
    """Private headers of the library stay inside it. Its own unit tests, which
    break blocks on purpose, are the one exception."""
    private = {f.name for f in tree() if f.name.endswith("-private.h")
               and f.parts[0] == "lib"}
    if not private:
        yield pathlib.Path("lib"), 0, "no private header found"
    for path in c_files():
        if path.parts[:2] in (("lib", "core"), ("lib", "control"), ("tests", "lib"),
                              ("tests", "fuzz"), ("tests", "cross")):
            continue
        for number, name in includes(path):
            if pathlib.PurePath(name).name in private:
                yield path, number, f"includes the private header {name}"


@check
def atomics_in_one_place():
    """Memory orders are named in one header only."""
    order = re.compile(r"\bmemory_order_|\b__ATOMIC_|\b__sync_")
    home = pathlib.Path("lib/core/base/atomics-private.h")
    if not any(order.search(line) for _, line in lines(home)):
        yield home, 0, "names no memory order any more"
    for path in c_files("lib/core/", "lib/control/"):
        if path == home:
            continue
        for number, line in lines(path):
            if order.search(line):
                yield path, number, f"a memory order outside {home.name}"


@check
def elements_apart():
    """The sink and the source never include each other."""
    for path in c_files("gst/"):
        for mine, other in (("sink", "src"), ("src", "sink")):
            if not path.name.startswith("gstdatahub" + mine):
                continue
            for number, name in includes(path):
                if pathlib.PurePath(name).name.startswith(
                        "gstdatahub" + other):
                    yield path, number, f"the {mine} includes {name}"


@check
def elements_over_public_api():
    """The plugin, the command and the examples use installed headers only."""
    for path in c_files("gst/", "lib/cli/", "examples/"):
        for number, name in includes(path):
            if name.endswith("-private.h"):
                yield path, number, f"includes {name}"
            if name.startswith("../"):
                yield path, number, f"reaches out with {name}"


@check
def core_without_glib(*sources):
    """The core, with every header it includes, knows no GLib, no GStreamer, no
    ZeroMQ and no JSON. The sources come from the build's own list."""
    foreign = re.compile(r"^(glib|gio|gobject|gst/|zmq|jansson|czmq)")
    todo = [pathlib.Path(s).resolve().relative_to(ROOT) for s in sources]
    if not todo:
        yield pathlib.Path("lib/core/meson.build"), 0, "no core sources"
    seen = set()
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for number, name in includes(path):
            if foreign.match(name):
                yield path, number, f"the core includes {name}"
            for candidate in (path.parent / name, pathlib.Path("lib") / name):
                if (ROOT / candidate).is_file():
                    todo.append(candidate)


@check
def core_links_without_glib(archive):
    """Nor does the compiled core call them."""
    nm = subprocess.run(["nm", "-u", archive], capture_output=True, text=True,
                        check=True)
    for line in nm.stdout.splitlines():
        symbol = line.split()[-1] if line.split() else ""
        if re.match(r"(g_|gst_|zmq_|json_)", symbol):
            yield pathlib.Path(archive), 0, f"the core calls {symbol}"


@check
def steps_are_nothing(archive, archive_with_steps):
    """The places where the sweep kills processes leave no trace in the library
    that is installed: its object code calls nothing there."""
    called = {}
    for each in (archive, archive_with_steps):
        nm = subprocess.run(["nm", each], capture_output=True, text=True,
                            check=True)
        called[each] = re.findall(r"\bstep_\w+", nm.stdout)
    for symbol in called[archive]:
        yield pathlib.Path(archive), 0, f"it has the symbol {symbol}"
    if "step_reached" not in called[archive_with_steps]:
        yield pathlib.Path(archive_with_steps), 0, "it calls no step either"


@check
def format(clang_format):
    """Sources are formatted as .clang-format says."""
    need(clang_format)
    version = subprocess.run([clang_format, "--version"], capture_output=True,
                             text=True).stdout
    if " 14." not in version:
        print(f"SKIPPED: the format is held by clang-format 14, this is "
              f"{version.strip()}")
        sys.exit(77)
    files = [str(f) for f in c_files() if f.suffix in (".c", ".h")]
    run = subprocess.run([clang_format, "--dry-run", "--Werror", *files],
                         cwd=ROOT, capture_output=True, text=True)
    for line in run.stderr.splitlines():
        match = re.match(r"([^:]+):(\d+):\d+: error: (.*)", line)
        if match:
            yield match.group(1), match.group(2), match.group(3)
    if run.returncode and not run.stderr:
        yield ".", 0, "clang-format failed"


@check
def headers_alone(*command):
    """Every installed header compiles alone: headers-alone HEADER... --
    COMPILER ARGS. A language that needs it is told by the compiler's name."""
    cut = command.index("--")
    headers, compiler = command[:cut], list(command[cut + 1:])
    need(compiler[0])
    if not headers:
        yield "lib/datahub", 0, "no headers"
    for header in headers:
        unit = f"#include <datahub/{header}>\n#include <datahub/{header}>\n"
        run = subprocess.run(
            [*compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
             "-pedantic-errors", f"-I{ROOT / 'lib'}", "-"],
            input=unit, capture_output=True, text=True)
        if run.returncode:
            print(shlex.join(run.args))
            print(run.stderr)
            yield f"lib/datahub/{header}", 0, "does not compile alone"


@check
def tests_named(build):
    """Each source file of the core, of the control plane and of the elements names
    the tests that are about it, in a line "Tests: NAME, NAME" of its first
    comments: tests-named BUILD."""
    listed = json.loads(pathlib.Path(
        build, "meson-info", "intro-tests.json").read_text())
    known = {test["name"] for test in listed}
    named = re.compile(r"(?:/\*| \*) Tests: ([a-z0-9, -]+?)(?: \*/)?$")
    for path in c_files("lib/core/", "lib/control/", "gst/"):
        if path.suffix != ".c":
            continue
        head = itertools.takewhile(lambda each: each[1].startswith(("/*", " *")),
                                   lines(path))
        found = [(number, match.group(1)) for number, match
                 in ((number, named.match(line)) for number, line in head)
                 if match]
        if not found:
            yield path, 1, "names no tests"
        for number, names in found:
            for name in names.split(", "):
                if name not in known:
                    yield path, number, f"there is no test {name}"


@check
def no_sleep_in_tests():
    """Tests wait for an event, never for a while. A pause says beside it why
    time itself must pass."""
    sleep = re.compile(
        r"\b(sleep|usleep|nanosleep|clock_nanosleep|g_usleep)\s*\(")
    for path in tree():
        # this file names what it looks for
        if (path.parts[0] != "tests" or path.parts[1] == "house"
                or path.suffix not in (".c", ".h", ".py")):
            continue
        reason = "#" if path.suffix == ".py" else "/*"
        for number, line in lines(path):
            if sleep.search(line) and reason not in line:
                yield path, number, "waits for a while, not for an event"


main()
