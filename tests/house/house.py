# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the house checks share: the files of the tree and main(). A check is a
generator of breaches (FILE, LINE, WHAT); SCRIPT CHECK [ARGS] runs one."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE_SUFFIXES = {".c", ".h", ".cc", ".py", ".sh"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
CHECKS = {}


def check(function):
    CHECKS[function.__name__.replace("_", "-")] = function
    return function


def need(tool):
    if not shutil.which(tool):
        print(f"SKIPPED: {tool} is not installed")
        sys.exit(77)


def tree():
    """Every file of the project, as paths relative to its root."""
    git = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"],
                         capture_output=True)
    if git.returncode == 0 and git.stdout:
        names = git.stdout.decode().split("\0")
        files = [pathlib.Path(name) for name in names if name]
    else:
        files = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [f for f in folders
                          if f != ".git" and not f.startswith("build")]
            files += [pathlib.Path(folder, name).relative_to(ROOT)
                      for name in names]
    return sorted(f for f in files if (ROOT / f).is_file())


def lines(path):
    text = (ROOT / path).read_text(errors="replace")
    return enumerate(text.splitlines(), 1)


def text_files():
    return [f for f in tree()
            if b"\0" not in (ROOT / f).read_bytes()[:4096]]


def c_files(*folders):
    return [f for f in tree() if f.suffix in (".c", ".h", ".cc")
            and (not folders or str(f).startswith(folders))]


def includes(path):
    for number, line in lines(path):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def main():
    """Runs the check that the command line names. Prints each breach as
    FILE:LINE: WHAT and exits with 1 if there is one."""
    if len(sys.argv) < 2 or sys.argv[1] not in CHECKS:
        sys.exit(f"usage: {sys.argv[0]} " + "|".join(CHECKS))
    function = CHECKS[sys.argv[1]]
    print(function.__doc__)
    breaches = list(function(*sys.argv[2:]))
    for path, number, what in breaches:
        print(f"{path}:{number}: {what}")
    sys.exit(1 if breaches else 0)
