#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The picture in README is what its script makes: picture.py MAKE PICTURE BUILD.
The script runs, and the picture that is in the tree shows the same commands and
the same headings. Numbers differ from run to run."""
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

MAKE, PICTURE, BUILD = sys.argv[1:4]
LIMIT = 150_000  # bytes
SVG = "{http://www.w3.org/2000/svg}text"


def headings(path):
    """Titles, commands and first lines of tables, without their numbers."""
    found = []
    for text in xml.etree.ElementTree.parse(path).iter(SVG):
        kind = text.get("class")
        if "title" in kind or " in" in kind or text.text.startswith("NAME "):
            found.append(" ".join(re.sub(r"\d+", "N", text.text).split()))
    return found


def main():
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder, "made.svg")
        subprocess.run([MAKE, "--build", BUILD, "--output", made], check=True)
        text = made.read_text()
        assert folder not in text and BUILD not in text, "a machine's path"
        for words in ("Killed", "dead", "viewer", "recorder", "progress"):
            assert words in text, f"the picture does not show: {words}"
        assert headings(made) == headings(PICTURE), (
            f"the picture in the tree differs: make it again with {MAKE}",
            headings(made), headings(PICTURE))
    assert pathlib.Path(PICTURE).stat().st_size < LIMIT


main()
