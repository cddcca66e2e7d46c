#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Explores the models of the DataBlock's protocol with Spin.

run.py [--json FILE] [--table FILE] MODEL...

Each model is searched as it stands, to the end: it must hold. Then each of its
mutants, one memory order or step made weaker at a time: an assertion must
fail. What a model cannot tell from the real protocol is declared an equivalent,
with the reason, and must hold. Prints TAP, then the table of mutations.

Models declare in their first comment:
  @also NAME | another size, which must hold too
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
DEPTH = 100_000
MUST_FAIL = {"mutant": "caught by", "finding": "FINDING: the code breaks"}
DECLARATION = re.compile(r"@(also|mutant|finding|equivalent|argued) +(.*)")


class Broken(Exception):
    """The tools failed, or a search is not exhaustive."""


def declarations(model):
    """(kind, name, step, what, reason) of each mutation, in order."""
    head = (HERE / f"{model}.pml").read_text().split("*/")[1]
    joined = re.sub(r"\n \* {2,}", " ", head)
    for kind, text in DECLARATION.findall(joined):
        parts = [part.strip() for part in text.split("|")]
        if kind == "also":
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


def explore(model, define, optimise):
    """Searches one variant. Returns (violation or "", states, seconds,
    what no execution reached)."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="datahub-model-") as folder:
        macros = [f"-D{define}"] if define else []
        code, output = tool(["spin", "-a", *macros, HERE / f"{model}.pml"],
                            folder)
        if code or not pathlib.Path(folder, "pan.c").exists():
            raise Broken(f"spin: {output}")
        code, output = tool(
            ["gcc", optimise, "-w", "-DSAFETY", f"-DMEMLIM={MEMORY_MB}",
             "-o", "pan", "pan.c"], folder)
        if code:
            raise Broken(f"gcc: {output}")
        code, output = tool(["./pan", f"-m{DEPTH}", "-w22"], folder)
    failed = int(number(r"errors: (\d+)", output))
    states = int(number(r"([\d.e+]+) states, stored", output))
    if failed:
        found = violation(output)
        if not found or "max search depth" in found:
            raise Broken(output)
        return found, states, time.monotonic() - start, set()
    truncated = ("Search not completed" in output or "too small" in output
                 or "out of memory" in output or "MEMLIM" in output)
    if code or truncated or not states:
        raise Broken(f"the search did not reach its end:\n{output}")
    return "", states, time.monotonic() - start, unreached(output)


def unreached(output):
    """Statements of the model that no execution reaches, by process."""
    never, process = set(), ""
    for line in output.splitlines():
        section = re.match(r"unreached in (?:proctype )?(\S+)", line)
        if section:
            process = section.group(1)
        found = re.search(r"(\S+\.pml:\d+), state \d+, \"(.*)\"", line)
        if found and found.group(2) not in ("-end-", "(1)"):
            where = pathlib.Path(found.group(1)).name
            never.add(f"{process}: {where}: {found.group(2)}")
    return never


class Report:
    def __init__(self):
        self.rows = []
        self.lines = 0

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
        self.never = None
        self.variant(model, ("model", "", "", "as it is", ""))
        declared = list(declarations(model))
        for one in declared:
            self.variant(model, one)
        if self.never:
            self.tell(False, {"model": model, "result": "never executed, so it "
                              "checks less than it says"},
                      "\n".join(sorted(self.never)), table=False)

    def variant(self, model, declared):
        kind, name, step, what, reason = declared
        row = {"model": model, "step": step, "mutation": name, "what": what,
               "kind": kind, "states": 0, "seconds": 0, "caught": "",
               "reason": reason}
        if kind == "argued":
            row["result"] = f"equivalent, argued: {reason}"
            return self.tell(True, row)
        try:
            found, row["states"], seconds, never = explore(
                model, name, "-O0" if kind in MUST_FAIL else "-O2")
        except Broken as broken:
            row["result"] = "BROKEN"
            return self.tell(False, row, str(broken)[-2000:])
        row["seconds"] = round(seconds, 1)
        row["caught"] = found
        if kind in MUST_FAIL:
            row["result"] = (f"{MUST_FAIL[kind]} {found}" if found
                             else "NOT CAUGHT in an exhaustive search")
            return self.tell(bool(found), row)
        if kind != "equivalent":
            self.never = never if self.never is None else self.never & never
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
            if row["kind"] in ("model", "also"):
                result = "holds" if not row["caught"] else result
            if row["kind"] == "equivalent" and not row["caught"]:
                result = f"equivalent: {row['reason']}"
            lines.append(f"| {row['model']} | {row['step']} | {what} | "
                         f"{states} | {result} |")
        return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path)
    options = parser.parse_args()
    missing = [name for name in ("spin", "gcc") if not shutil.which(name)]
    if missing:
        print(f"1..0 # SKIP {' and '.join(missing)} not installed: "
              "the models of the protocol were NOT explored")
        return 0
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    report = Report()
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
