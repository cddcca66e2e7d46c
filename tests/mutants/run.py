#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Breaks guards, bounds and orders of the core, one at a time, and looks whether a
test fails.

  run.py SOURCE BUILD [NAME...]   all, or these
  run.py SOURCE --fit             only whether the texts still occur once

SOURCE is copied into BUILD, where the core and its tests are built. Prints TAP: a
mutant that no program of its row notices is a failure. Exits 1 if there is one."""
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from table import CORE, MUTANTS

# Of a program that a mutant lets wait for ever.
LIMIT_S = 60
BUILT = ("lib", "tests", "examples", "meson.build", "meson_options.txt")


def texts_that_do_not_fit(source):
    for name, file, text, *_ in MUTANTS:
        path = source / CORE / file
        found = path.read_text().count(text) if path.exists() else 0
        if found != 1:
            yield f"{name}: its text occurs {found} times in {CORE}{file}"


def copy_file(path, to):
    """Only if it differs: what is not touched is not compiled again, and what was
    a mutant is."""
    content = path.read_bytes()
    if not to.exists() or to.read_bytes() != content:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(content)
        shutil.copymode(path, to)


def copy_tree(source, build):
    copy = build / "source"
    for part in BUILT:
        whole = source / part
        for path in sorted(whole.rglob("*")) if whole.is_dir() else [whole]:
            if path.is_file():
                copy_file(path, copy / path.relative_to(source))
    return copy


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          **options)


def build_programs(objects, programs):
    """The output if it does not compile, else None."""
    paths = [f"tests/lib/core/{name}" if not name.startswith("stress-")
             else f"tests/stress/{name}" for name in programs]
    done = run("ninja", "-C", objects, *paths)
    return done.stdout if done.returncode else None


def notices(objects, program):
    folder = "tests/stress" if program.startswith("stress-") else "tests/lib/core"
    environment = os.environ | {"CHECK_TIMEOUT": str(LIMIT_S)}
    try:
        done = run(objects / folder / program, timeout=4 * LIMIT_S,
                   env=environment)
    except subprocess.TimeoutExpired:
        return "did not end"
    if done.returncode == 0:
        return None
    failed = [line for line in done.stdout.splitlines()
              if line.startswith("not ok")]
    return failed[0] if failed else f"exit status {done.returncode}"


def who_notices(copy, objects, row):
    """(whether it was noticed, how)"""
    name, file, text, instead, programs = row[:5]
    path = copy / CORE / file
    original = path.read_text()
    path.write_text(original.replace(text, instead))
    try:
        output = build_programs(objects, programs)
        if output:
            return False, "does not compile:\n" + output
        for program in programs:
            how = notices(objects, program)
            if how:
                return True, f"{program}: {how}"
        return False, "survives " + ", ".join(programs)
    finally:
        path.write_text(original)


def prepare(source, build):
    copy, objects = copy_tree(source, build), build / "objects"
    if not (objects / "build.ninja").exists():
        done = run("meson", "setup", objects, copy, "-Dcore-only=true",
                   "-Dbench=false")
        if done.returncode:
            sys.exit(done.stdout)
    return copy, objects


def passes_as_it_is(objects, rows):
    programs = sorted({program for row in rows for program in row[4] or ()})
    output = build_programs(objects, programs)
    if output:
        return output
    for program in programs:
        how = notices(objects, program)
        if how:
            return f"{program} fails without a mutant: {how}"
    return None


def run_mutants(source, build, names):
    rows = [row for row in MUTANTS if not names or row[0] in names]
    copy, objects = prepare(source, build)
    trouble = passes_as_it_is(objects, rows)
    if trouble:
        sys.exit(trouble)
    survivors = 0
    for number, row in enumerate(rows, 1):
        if row[4] is None:
            print(f"ok {number} - {row[0]} # SKIP {row[5]}", flush=True)
            continue
        noticed, how = who_notices(copy, objects, row)
        survivors += not noticed
        print(f"{'ok' if noticed else 'not ok'} {number} - {row[0]}",
              f"\n# {how}", sep="", flush=True)
    print(f"1..{len(rows)}")
    return survivors


def main():
    source = pathlib.Path(sys.argv[1]).resolve()
    unfit = list(texts_that_do_not_fit(source))
    if unfit:
        sys.exit("\n".join(unfit))
    if sys.argv[2] == "--fit":
        print(f"{len(MUTANTS)} mutants fit the sources.")
        return 0
    build = pathlib.Path(sys.argv[2]).resolve()
    return 1 if run_mutants(source, build, sys.argv[3:]) else 0


if __name__ == "__main__":
    sys.exit(main())
