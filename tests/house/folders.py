#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The folders of lib/ use each other in one direction, and names show what is
public: folders.py CHECK [ARGS].

The checks of symbols read the object files of the build: BUILD is its root, each
TARGET a library or program of it."""
import json
import pathlib
import re
import subprocess

from house import ROOT, c_files, check, lines, main, need, INCLUDE

# Each folder may use the folders of the lines above its own.
ORDER = [
    ["core/base"],
    ["core/os"],
    ["core/block"],
    ["core/producer", "core/consumer"],
    ["core/userlock"],
    ["core/doctor"],
    ["control/wire"],
    ["control/broker"],
    ["control/helper", "control/hub"],
]
LEVEL = {folder: level for level, folders in enumerate(ORDER)
         for folder in folders}
PUBLIC = "datahub"


def folder_of(path):
    """lib/core/base/names.c is in core/base."""
    return str(pathlib.PurePath(path).parent.relative_to("lib"))


def may_use(user, used):
    return user == used or LEVEL[used] < LEVEL[user]


def ordered_files():
    return c_files("lib/core/", "lib/control/")


@check
def folder_order():
    """A folder of lib/ includes only folders before it. The public headers are
    open to all and include only each other. An include of another folder names
    the folder; one of the same folder does not."""
    files = ordered_files()
    if not files:
        yield "lib", 0, "no files"
    for path in files:
        if folder_of(path) not in LEVEL:
            yield path, 1, f"{folder_of(path)} has no place in the order"
            continue
        for number, line in lines(path):
            match = INCLUDE.match(line)
            if match:
                quoted = '"' in line
                for what in wrong_include(path, match.group(1), quoted):
                    yield path, number, what
    yield from wrong_public_includes()


def wrong_include(path, name, quoted):
    user = folder_of(path)
    used, _, header = name.rpartition("/")
    if ".." in name.split("/"):
        yield f"includes {name}: name the folder from lib/ on"
    elif used == PUBLIC:
        if not any((ROOT / "lib" / (name + made)).is_file()
                   for made in ("", ".in")):
            yield f"includes {name}, which is no public header"
    elif used in LEVEL:
        if used == user:
            yield f"includes {name}: leave out the folder, it is the same"
        elif not may_use(user, used):
            yield f"includes {name}: {user} comes before {used}" \
                if LEVEL[user] < LEVEL[used] \
                else f"includes {name}: {user} and {used} must not use each other"
    elif quoted and not (ROOT / path.parent / name).is_file():
        yield f"includes {name}, which is not in {user}: name the folder"


def wrong_public_includes():
    for path in c_files(f"lib/{PUBLIC}/"):
        for number, line in lines(path):
            match = INCLUDE.match(line)
            name = match.group(1) if match else ""
            private = (name.partition("/")[0] in ("core", "control", "cli")
                       or name.endswith("-private.h"))
            if private or (match and '"' in line):
                yield path, number, f"a public header includes {name}"


def objects(build, *targets):
    """{OBJECT: SOURCE} of all that is compiled for @targets from lib/ and gst/."""
    build = pathlib.Path(build)
    private = tuple(f"{pathlib.Path(t).relative_to(build)}.p/" for t in targets)
    found = {}
    for each in json.loads((build / "compile_commands.json").read_text()):
        if each["output"].startswith(private):
            source = (build / each["file"]).resolve()
            if source.is_relative_to(ROOT):
                found[str(build / each["output"])] = source.relative_to(ROOT)
    return found


def external_symbols(*files, options=()):
    """(FILE, NAME, IS_DEFINED) of each symbol that crosses the border of a file."""
    need("nm")
    nm = subprocess.run(["nm", "-g", "-A", *options, *files], capture_output=True,
                        text=True, check=True)
    for line in nm.stdout.splitlines():
        path, _, entry = line.partition(":")
        kind, symbol = entry.split()[-2:]
        yield path, symbol.partition("@")[0], kind not in ("U", "w", "v")


def exports(library):
    return {symbol for _, symbol, is_defined
            in external_symbols(library, options=["-D"]) if is_defined}


def line_of(path, symbol):
    word = re.compile(rf"\b{re.escape(symbol)}\b")
    return next((n for n, line in lines(path) if word.search(line)), 0)


@check
def symbol_order(build, *targets):
    """A folder of lib/ uses only symbols that it or a folder before it defines;
    a call of a public function counts the same: symbol-order BUILD TARGET..."""
    home, uses = {}, []
    compiled = {each: source for each, source in objects(build, *targets).items()
                if folder_of(source) in LEVEL}
    for source in ordered_files():
        if source.suffix == ".c" and source not in compiled.values():
            yield source, 1, "no object file of it"
    for each, symbol, is_defined in external_symbols(*compiled):
        if is_defined:
            home[symbol] = compiled[each]
        else:
            uses.append((compiled[each], symbol))
    for source, symbol in uses:
        if symbol not in home:
            continue
        user, used = folder_of(source), folder_of(home[symbol])
        if not may_use(user, used):
            yield source, line_of(source, symbol), (
                f"{user} must not use {used}: {symbol} is defined in "
                f"{home[symbol]}")


@check
def public_symbols(library, *command):
    """The library exports what the installed headers declare, no less and no
    more: public-symbols LIBRARY HEADER... -- COMPILER ARGS."""
    cut = command.index("--")
    headers, compiler = command[:cut], command[cut + 1:]
    need(compiler[0])
    unit = "".join(f"#include <datahub/{header}>\n" for header in headers)
    run = subprocess.run([*compiler, "-E", "-P", f"-I{ROOT / 'lib'}", "-"],
                         input=unit, capture_output=True, text=True, check=True)
    text, inner = run.stdout, re.compile(r"\{[^{}]*\}")
    while inner.search(text):  # bodies of inline functions, structures
        text = inner.sub(";", text)
    inline = set(re.findall(r"\binline\b[^;]*?\b(datahub_\w+) ?\(", text))
    declared = set(re.findall(r"\b(datahub_\w+) ?\(", text)) - inline
    exported = exports(library)
    if not declared:
        yield f"lib/{PUBLIC}", 0, "declares nothing"
    for path in c_files(f"lib/{PUBLIC}/"):
        if path.name not in headers:
            yield path, 1, "is not installed"
    for symbol in sorted(exported - declared):
        yield library, 0, f"exports {symbol}, which no installed header declares"
    for symbol in sorted(declared - exported):
        yield f"lib/{PUBLIC}", 0, f"declares {symbol}, which is not exported"


# What GStreamer's macros make of the plugin's and the elements' names.
MADE_BY_GSTREAMER = re.compile(
    r"gst_(element_register|device_provider_register|plugin)_datahub\w*_?(register|get_desc)?$")


@check
def private_symbols(build, library, *targets):
    """Only what the library exports carries datahub_; the elements carry
    gst_datahub_: private-symbols BUILD LIBRARY TARGET..."""
    exported = exports(library)
    compiled = objects(build, library, *targets)
    if not exported or not compiled:
        yield build, 0, "no symbols"
        return
    for each, symbol, is_defined in external_symbols(*compiled):
        source = compiled[each]
        if not is_defined or symbol.startswith("_"):
            continue
        if source.parts[0] == "gst":
            if not (symbol.startswith("gst_datahub_")
                    or MADE_BY_GSTREAMER.match(symbol)):
                yield source, line_of(source, symbol), (
                    f"the elements' {symbol} must carry gst_datahub_")
        elif symbol.startswith("datahub_") and symbol not in exported:
            yield source, line_of(source, symbol), (
                f"{symbol} is private: it must not carry datahub_")


# Macros that the build sets.
BUILD_MACROS = {"DATAHUB_STEPS", "DATAHUB_SHARED_MAPPINGS"}
NOISE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
PUBLIC_NAME = re.compile(r"\b_?((?:Datahub[A-Z]|DATAHUB_)\w*)")


def code_of(path):
    """The text of a C file without comments and strings, line by line the same."""
    text = (ROOT / path).read_text()
    return NOISE.sub(lambda m: "\n" * m.group().count("\n"), text)


def public_names():
    names = set(BUILD_MACROS)
    made = pathlib.Path("lib", PUBLIC, "version.h.in")
    for path in [*c_files(f"lib/{PUBLIC}/"), made]:
        code = code_of(path)
        names |= set(PUBLIC_NAME.findall(code))
        for kind, prefix, name in re.findall(
                r"G_DECLARE_\w+_TYPE \((\w+),\s*\w+,\s*(\w+),\s*(\w+)", code):
            names |= {f"{prefix}_{name}", f"{prefix}_IS_{name}", f"{kind}Class"}
    return names


@check
def private_names():
    """Only types, constants and macros of the installed headers are called
    Datahub... and DATAHUB_...; include guards and GstDatahub... are others."""
    names = public_names()
    for path in c_files("lib/", "gst/"):
        if path.parts[1] == PUBLIC:
            continue
        code = re.sub(r"G_D(ECLARE|EFINE)_\w+ \([^)]*\)", lambda m: "\n"
                      * m.group().count("\n"), code_of(path))
        guard = re.search(r"#ifndef (\w+_H)\n#define \1\n", code)
        known = names | ({guard.group(1)} if guard else set())
        seen = set()
        for number, line in enumerate(code.splitlines(), 1):
            for name in PUBLIC_NAME.findall(line):
                if name not in known and name not in seen:
                    seen.add(name)
                    yield path, number, f"{name} is in no installed header"


if __name__ == "__main__":
    main()
