#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Explores the models of the DataBlock's protocol with Spin.

run.py [--long] [--json FILE] [--table FILE] MODEL...
run.py --steps LAYOUT.md MODELS.md SOURCES

Each model is searched as it stands, to the end: it must hold. Then each of its
mutants, one memory order or step made weaker at a time: an assertion must
fail. What a model cannot tell from the real protocol is declared an equivalent,
with the reason, and must hold. Prints TAP, then the table of mutations. What is
@long takes minutes or gigabytes, and is searched only when asked for.

With --steps nothing is searched: every step that LAYOUT.md names, and every rule
that comments of the sources name, must have a mutation or an argument here, and
every mutation a row in MODELS.md.

Models declare in their first comment:
  @also NAME | another size, which must hold too
  @long NAME | one more, searched with --long
  @mutant NAME | step | what is weakened
  @finding NAME | step | what the shipped code does, which an assertion forbids
  @equivalent NAME | step | what is weakened | why nothing can notice
  @argued NAME | step | what is weakened | why (nothing to run)
"""
import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SKIP = 77
MEMORY_MB = 2000
LONG_MEMORY_MB = 12_000
DEPTH = 100_000
MUST_FAIL = {"mutant": "caught by", "finding": "FINDING: the code breaks"}
DECLARATION = re.compile(r"@(also|long|mutant|finding|equivalent|argued) +(.*)")


class Broken(Exception):
    """The tools failed, or a search is not exhaustive."""


def declarations(model):
    """(kind, name, step, what, reason) of each mutation, in order."""
    head = (HERE / f"{model}.pml").read_text().split("*/")[1]
    joined = re.sub(r"\n \* {2,}", " ", head)
    for kind, text in DECLARATION.findall(joined):
        parts = [part.strip() for part in text.split("|")]
        if kind in ("also", "long"):
            parts.insert(1, "")
        wanted = 4 if kind in ("equivalent", "argued") else 3
        if len(parts) != wanted or not parts[0] or not parts[-1]:
            raise Broken(f"{model}: malformed declaration: {text}")
        yield (kind, *parts, "")[:5]


def tool(command, folder):
    done = subprocess.run(command, cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0


def violation(output):
    """What failed: the name that the model gives it, or a dead end."""
    named = re.search(r"assertion violated \(*(\w+)", output)
    if named:
        return named.group(1)
    if "invalid end state" in output and re.search(r"pan:\d+: invalid end",
                                                   output):
        return "stuck (no process can go on)"
    other = re.search(r"pan:\d+: (.*)", output)
    return other.group(1) if other else ""


def explore(model, define, optimise, memory_mb):
    """Searches one variant. Returns (violation or "", states, seconds,
    what no execution reached, the lines that are in this variant)."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="datahub-model-") as folder:
        macros = [f"-D{define}"] if define else []
        code, output = tool(["spin", "-a", *macros, HERE / f"{model}.pml"],
                            folder)
        if code or not pathlib.Path(folder, "pan.c").exists():
            raise Broken(f"spin: {output}")
        code, output = tool(
            ["gcc", optimise, "-w", "-DSAFETY", f"-DMEMLIM={memory_mb}",
             "-o", "pan", "pan.c"], folder)
        if code:
            raise Broken(f"gcc: {output}")
        program = pathlib.Path(folder, "pan.c").read_text()
        code, output = tool(["./pan", f"-m{DEPTH}", "-w22"], folder)
    failed = int(number(r"errors: (\d+)", output))
    states = int(number(r"([\d.e+]+) states, stored", output))
    if failed:
        found = violation(output)
        if not found or "max search depth" in found:
            raise Broken(output)
        return found, states, time.monotonic() - start, set(), set()
    truncated = ("Search not completed" in output or "too small" in output
                 or "out of memory" in output or "MEMLIM" in output)
    if code or truncated or not states:
        raise Broken(f"the search did not reach its end:\n{output}")
    return ("", states, time.monotonic() - start, unreached(output),
            compiled(program))


def unreached(output):
    """Statements of the model that no execution reaches, by process."""
    never, process = set(), ""
    for line in output.splitlines():
        section = re.match(r"unreached in (?:proctype )?(\S+)", line)
        if section:
            process = section.group(1).strip(":")
        found = re.search(r"(\S+\.pml:\d+), state \d+, \"(.*)\"", line)
        if found and found.group(2) not in ("-end-", "(1)"):
            line = found.group(1).rsplit(":", 1)[1]
            never.add((f"{process}, line {line}", found.group(2)))
    return never


def compiled(program):
    """Lines of each process that a variant has: pan.c lists them by state."""
    names = re.findall(r'"(.*)"', re.search(
        r"char \*procname\[\] = \{(.*?)\};", program, re.S).group(1))
    found = set()
    for number, name in enumerate(names):
        listing = re.search(rf"^short src_ln{number} \[\] = \{{(.*?)\}};",
                            program, re.S | re.M)
        # which file a line is in, pan itself gets wrong now and then
        if listing:
            found.update(f"{name.strip(':')}, line {line}"
                         for line in re.findall(r"\d+", listing.group(1)))
    return found


class Report:
    def __init__(self, long):
        self.rows = []
        self.lines = 0
        self.long = long

    def tell(self, good, row, note="", table=True):
        self.lines += 1
        if table:
            self.rows.append(row)
        name = f"{row['model']} {row.get('mutation', '')}".strip()
        print(f"{'ok' if good else 'not ok'} {self.lines} - {name}: "
              f"{row['result']}", flush=True)
        for line in note.splitlines():
            print(f"# {line}")

    def model(self, model):
        self.never = []
        self.variant(model, ("model", "", "", "as it is", ""))
        declared = list(declarations(model))
        for one in declared:
            self.variant(model, one)
        idle = {one for never, _ in self.never for one in never
                if all(one in never or one[0] not in lines
                       for never, lines in self.never)}
        if idle:
            self.tell(False, {"model": model, "result": "never executed, so it "
                              "checks less than it says"},
                      "\n".join(": ".join(one) for one in sorted(idle)),
                      table=False)

    def variant(self, model, declared):
        kind, name, step, what, reason = declared
        row = {"model": model, "step": step, "mutation": name, "what": what,
               "kind": kind, "states": 0, "seconds": 0, "caught": "",
               "reason": reason}
        if kind == "long" and not self.long:
            row["result"] = "not searched (--long)"
            return self.tell(True, row)
        if kind == "argued":
            row["result"] = f"equivalent, argued: {reason}"
            return self.tell(True, row)
        try:
            found, row["states"], seconds, never, lines = explore(
                model, name, "-O0" if kind in MUST_FAIL else "-O2",
                LONG_MEMORY_MB if kind == "long" else MEMORY_MB)
        except Broken as broken:
            row["result"] = "BROKEN"
            return self.tell(False, row, str(broken)[-2000:])
        row["seconds"] = round(seconds, 1)
        row["caught"] = found
        if kind in MUST_FAIL:
            row["result"] = (f"{MUST_FAIL[kind]} {found}" if found
                             else "NOT CAUGHT in an exhaustive search")
            return self.tell(bool(found), row)
        if kind != "equivalent" and not found:
            self.never.append((never, lines))
        row["result"] = found or (
            f"holds in all {row['states']} states" if kind != "equivalent"
            else f"equivalent in all {row['states']} states: {reason}")
        return self.tell(not found, row)

    def table(self):
        lines = ["| Model | Step | Mutation | States | Outcome |",
                 "|---|---|---|---:|---|"]
        for row in self.rows:
            what = row["what"]
            if row["mutation"]:
                what += f" (`{row['mutation']}`)"
            states = f"{row['states']:,}".replace(",", " ") \
                if row["states"] else "–"
            result = row["result"]
            if row["kind"] in ("model", "also", "long") and row["states"]:
                result = "holds" if not row["caught"] else result
            if row["kind"] == "equivalent" and not row["caught"]:
                result = f"equivalent: {row['reason']}"
            lines.append(f"| {row['model']} | {row['step']} | {what} | "
                         f"{states} | {result} |")
        return "\n".join(lines)


def steps_named(layout, sources):
    """Steps of the page on memory orders, rules that the code refers to."""
    names = set(re.findall(r"\b[ABCEM]\d{1,2}\b", layout.read_text()))
    for source in sources.rglob("*.[ch]"):
        for comment in re.findall(r"/\*.*?\*/", source.read_text(), re.S):
            names.update(re.findall(r"\b[DGLNPW]\d{1,2}\b", comment))
    return names


def check_steps(layout, page, sources):
    """TAP: what is named has a mutation, and what is declared is on the page."""
    steps, names, text = set(), [], page.read_text()
    for model in sorted(path.stem for path in HERE.glob("*.pml")):
        if model == "memory":
            continue
        for kind, name, step, _, _ in declarations(model):
            if kind not in ("also", "long"):
                steps.update(re.findall(r"\w+", step))
            names.append(f"`{name}`")
    named = steps_named(layout, sources)
    bad = [f"{name} has no mutation and no argument"
           for name in sorted(named - steps)]
    bad += [f"{name} is not in {page.name}" for name in names
            if name not in text]
    print("1..1")
    print(f"{'not ok' if bad else 'ok'} 1 - {len(named)} steps and rules and "
          f"{len(names)} variants are accounted for")
    for line in bad:
        print(f"# {line}")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path)
    options = parser.parse_args()
    if options.steps:
        return check_steps(*map(pathlib.Path, options.models))
    missing = [name for name in ("spin", "gcc") if not shutil.which(name)]
    if missing:
        print(f"1..0 # SKIP {' and '.join(missing)} not installed: "
              "the models of the protocol were NOT explored")
        return 0
    limit = (LONG_MEMORY_MB + 1000 if options.long else 3000) << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    report = Report(options.long)
    for model in options.models:
        report.model(model)
    print(f"1..{report.lines}")
    for line in report.table().splitlines():
        print(f"# {line}")
    if options.json:
        options.json.write_text(json.dumps(report.rows, indent=1) + "\n")
    if options.table:
        options.table.write_text(report.table() + "\n")
    return 0


sys.exit(main())
