#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The documents keep up with the tree: docs.py links | names |
index | tests BUILD_DIR.
names: docs/environment.md has every outcome of the library and every variable.
index: docs/README.md has a link to every page of docs.
links: every relative link and every path in backquotes leads somewhere.
tests: each test that docs/testing.md, docs/requirements.md and docs/models.md
name exists, and has the behaviour that is named with it."""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:lib|gst|tests|docs|examples|\.ci)/[\w./*-]*)`")
SUITES = ("core", "hub", "cli", "gst", "streams", "stress", "house", "example", "fuzz",
          "model", "litmus")
TEST = re.compile(r"`((?:%s)-[a-z0-9-]+)`" % "|".join(SUITES))
BEHAVIOUR = re.compile(r"`([a-z][a-z-]+): ([^`]+)`", re.S)


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


def introspect(what, build):
    run = subprocess.run(["meson", "introspect", "--" + what, build],
                         capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def texts_of_tests(build):
    """What the own sources of each test say, by its name."""
    sources = {program: [source for part in target["target_sources"]
                         for source in part.get("sources", [])]
               for target in introspect("targets", build)
               for program in target["filename"]}
    texts = {}
    for test in introspect("tests", build):
        own = [source for word in test["cmd"]
               for source in sources.get(word, [])]
        text = "".join(pathlib.Path(source).read_text() for source in own
                       if source.endswith(".c"))
        # A long string may be broken into several in the source.
        texts[test["name"]] = re.sub(r'"\s*\n\s*"', "", text)
    return texts


def tests(build):
    texts = texts_of_tests(build)
    for stem in ("testing", "requirements", "models"):
        page = ROOT / "docs" / f"{stem}.md"
        text = page.read_text()
        behaviours = [(name, " ".join(what.split()))
                      for name, what in BEHAVIOUR.findall(text)]
        if stem == "requirements" and not behaviours:
            yield page, "behaviour at all"
        for name, what in behaviours:
            if name not in texts:
                yield page, f"program {name}"
            elif what not in texts[name]:
                yield page, f"behaviour of {name}: {what}"
        for name in TEST.findall(text):
            if name not in texts:
                yield page, name


def names():
    page = ROOT / "docs" / "environment.md"
    text = page.read_text()
    outcomes = re.findall(r'\{ DATAHUB_\w+,\s*"([a-z-]+)",',
                          (ROOT / "lib/core/base/result.c").read_text())
    variables = set()
    for folder in ("lib", "gst"):
        for path in (ROOT / folder).rglob("*.c"):
            variables |= set(re.findall(r'getenv \("(DATAHUB_\w+)"\)',
                                        path.read_text()))
    if not outcomes or not variables:
        yield page, "outcome or variable in the sources"
    for name in [*outcomes, *sorted(variables)]:
        if f"| `{name}` |" not in text:
            yield page, f"row for {name}"


def index():
    page = ROOT / "docs" / "README.md"
    linked = set(LINK.findall(page.read_text()))
    pages = [p for p in documents() if p.parent == page.parent and p != page]
    if not pages:
        yield page, "page beside it"
    for other in pages:
        if other.name not in linked:
            yield page, f"link to {other.name}"


CHECKS = {"index": index, "links": links, "names": names, "tests": tests}


def main():
    print(__doc__)
    missing = list(CHECKS[sys.argv[1]](*sys.argv[2:]))
    for page, name in missing:
        print(f"{page.relative_to(ROOT)}: there is no {name}")
    sys.exit(1 if missing else 0)


main()
