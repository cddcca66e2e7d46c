#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The documents keep up with the tree: docs.py links | tests BUILD_DIR.
links: every relative link and every path in backquotes leads somewhere.
tests: every test that docs/testing.md names exists."""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:lib|gst|tests|docs|examples|\.ci)/[\w./*-]*)`")
TEST = re.compile(
    r"`((?:core|hub|cli|gst|stress|house|example)-[a-z0-9-]+)`")


def documents():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"),
             *ROOT.glob("examples/**/*.md"), *ROOT.glob("tests/**/*.md")]
    return sorted(pages)


def links():
    for page in documents():
        text = page.read_text()
        wanted = [(page.parent / link, link) for link in LINK.findall(text)
                  if "://" not in link]
        wanted += [(ROOT / path, path) for path in PATH.findall(text)]
        for target, name in wanted:
            found = (list(ROOT.glob(name)) if "*" in name
                     else target.exists())
            if not found:
                yield page, name


def tests(build):
    introspect = subprocess.run(["meson", "introspect", "--tests", build],
                                capture_output=True, text=True, check=True)
    known = {test["name"] for test in json.loads(introspect.stdout)}
    page = ROOT / "docs" / "testing.md"
    named = TEST.findall(page.read_text())
    if not named:
        yield page, "no test at all"
    for name in named:
        if name not in known:
            yield page, name


def main():
    print(__doc__)
    missing = list({"links": links, "tests": tests}[sys.argv[1]](*sys.argv[2:]))
    for page, name in missing:
        print(f"{page.relative_to(ROOT)}: there is no {name}")
    sys.exit(1 if missing else 0)


main()
