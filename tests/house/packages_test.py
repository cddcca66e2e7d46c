#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
""".ci/install-packages with a table and package tools of its own: packages that
are needed, packages that a distribution lacks, and users without rights."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ("bash", "cat", "dirname", "env", "grep", "head", "mktemp", "rm", "sed",
         "sh", "tail", "tr")
TABLE = """# a comment
run needed-one
run needed-two
run wanted optional
test other
"""
FALSE_TOOLS = {
    "dpkg-query": 'for p in $HAVE; do echo "ii  $p"; done',
    "apt-cache": 'for p in $OFFERED; do [ "$p" != "$2" ] ||'
                 ' echo "  Candidate: 1.0"; done\n'
                 # more than a pipe takes, as apt-cache can print more later
                 'head -c 200000 /dev/zero | tr "\\0" "\\n"',
    "apt-get": 'echo "$@" >>"$CALLS"\n'
               'echo "pmstatus:x:50.0:Unpacking x" >&3\n'
               'echo "talk of apt"\n'
               'case "$*" in *"$BROKEN"*) echo "E: broken"; exit 100 ;; esac',
    "id": 'echo "$USER_ID"',
}


class Packages(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="datahub-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.script = self.folder / "install-packages"
        shutil.copy(PROJECT / ".ci" / "install-packages", self.script)
        (self.folder / "packages").write_text(TABLE)
        tools = self.folder / "bin"
        tools.mkdir()
        for name in TOOLS:
            (tools / name).symlink_to(shutil.which(name))
        for name, body in FALSE_TOOLS.items():
            (tools / name).write_text(f"#!/bin/sh\n{body}\n")
            (tools / name).chmod(0o755)

    def install(self, *purposes, have="", offered="", user=0, broken="none"):
        """(exit status, output, the packages that apt-get installs)"""
        calls = self.folder / "calls"
        calls.write_text("")
        done = subprocess.run(
            [self.script, *purposes], stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"PATH": str(self.folder / "bin"), "HAVE": have,
                 "OFFERED": offered, "USER_ID": str(user), "BROKEN": broken,
                 "CALLS": str(calls), "TMPDIR": str(self.folder)})
        print(done.stdout)
        wanted = [line.split("--no-install-recommends ")[1].split()
                  for line in calls.read_text().splitlines()
                  if "install" in line]
        return done.returncode, done.stdout, sum(wanted, [])

    def test_is_silent_if_nothing_is_missing(self):
        status, output, packages = self.install(
            "run", have="needed-one needed-two wanted")
        self.assertEqual((status, output, packages), (0, "", []))

    def test_installs_what_is_missing_for_the_purpose(self):
        status, output, packages = self.install(
            "run", have="needed-one", offered="needed-two wanted")
        self.assertEqual(status, 0)
        self.assertEqual(packages, ["needed-two", "wanted"])
        self.assertIn("installing: 50 %", output)
        self.assertNotIn("talk of apt", output)

    def test_leaves_out_by_name_what_the_distribution_lacks(self):
        status, output, packages = self.install(
            "run", "test", have="needed-one", offered="needed-two other")
        self.assertEqual((status, packages), (0, ["needed-two", "other"]))
        self.assertIn("wanted is not in this distribution", output)

    def test_goes_on_without_an_optional_package(self):
        status, _, packages = self.install(
            "run", have="needed-one needed-two", offered="wanted", user=1000)
        self.assertEqual((status, packages), (0, []))

    def test_a_user_without_rights_gets_the_command(self):
        status, output, packages = self.install(
            "run", offered="needed-one needed-two", user=1000)
        self.assertEqual((status, packages), (1, []))
        self.assertIn("there is no sudo", output)
        self.assertIn("apt-get install needed-one needed-two", output)

    def test_a_failure_shows_the_last_lines_of_apt(self):
        status, output, _ = self.install(
            "run", offered="needed-one needed-two", broken="install -y")
        self.assertEqual(status, 1)
        self.assertIn("E: broken", output)
        self.assertIn("apt-get install failed", output)

    def test_a_purpose_that_is_not_in_the_table_is_refused(self):
        status, output, _ = self.install("walk")
        self.assertEqual(status, 2)
        self.assertIn("usage:", output)

    def test_the_table_has_only_known_words(self):
        """A misspelt flag would make an optional package needed."""
        table = (PROJECT / ".ci" / "packages").read_text().splitlines()
        rows = [line.split() for line in table if not line.startswith("#")]
        self.assertGreater(len(rows), 20)
        for row in rows:
            self.assertIn(row[0], ("build", "run", "test", "ci", "long", "bench"))
            self.assertIn(row[2:], ([], ["optional"]))


os.umask(0o022)
unittest.main(verbosity=2)
