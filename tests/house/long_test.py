#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
""".ci/long with false legs, in a repository of its own: what is run, what is not
run again, what is kept, and the page."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))  # seconds
LEG = """#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# the false leg {name}
echo run >>"../{name}.runs"
read -r line && echo "input: $line"
{script}
"""


class Long(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="datahub-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.root = self.folder / "project"
        (self.root / ".ci" / "legs").mkdir(parents=True)
        (self.root / "docs").mkdir()
        shutil.copy(PROJECT / ".ci" / "long", self.root / ".ci" / "long")
        (self.root / ".gitignore").write_text("/build*/\n")
        (self.root / "source.c").write_text("one\n")
        self.leg("good", "echo '3 passed, 0 failed, 0 skipped'")
        self.leg("bad", "echo '2 passed, 1 failed, 0 skipped'\n"
                        "test -e ../mended")
        self.leg("absent", "echo 'there is no tool'; exit 77")
        self.git("init", "-q")
        self.commit()

    def leg(self, name, script):
        path = self.root / ".ci" / "legs" / name
        path.write_text(LEG.format(name=name, script=script))
        path.chmod(0o755)

    def git(self, *arguments):
        subprocess.run(["git", "-c", "user.name=test", "-c",
                        "user.email=test@invalid", "-c",
                        "commit.gpgsign=false", *arguments],
                       cwd=self.root, check=True, capture_output=True)

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change", "--allow-empty")

    def start(self, *arguments):
        return subprocess.Popen([self.root / ".ci" / "long", *arguments],
                                stdin=subprocess.PIPE, text=True,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    def long(self, *arguments, status=0):
        process = self.start(*arguments)
        output, _ = process.communicate("not for a leg\n", timeout=LIMIT)
        print(output)
        self.assertEqual(process.returncode, status)
        return output

    def runs(self, name):
        path = self.folder / f"{name}.runs"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def test_lists_the_legs_without_running_one(self):
        output = self.long()
        self.assertIn("the false leg good [not run here]", output)
        self.assertEqual(self.runs("good"), 0)

    def test_a_leg_that_passed_is_not_run_again(self):
        self.long("good", "bad", status=1)
        output = self.long("good", "bad", status=1)
        self.assertIn("good passed on this commit already", output)
        self.assertEqual((self.runs("good"), self.runs("bad")), (1, 2))
        (self.folder / "mended").touch()
        self.long("all")
        self.assertEqual((self.runs("good"), self.runs("bad")), (1, 3))
        self.assertIn("good [passed", " ".join(self.long().split()))

    def test_a_leg_runs_again_when_asked(self):
        self.long("good")
        self.long("--again", "good")
        self.assertEqual(self.runs("good"), 2)

    def test_another_commit_counts_and_the_page_does_not(self):
        self.long("good", "--report")
        self.commit()
        self.long("good")
        self.assertEqual(self.runs("good"), 1)
        (self.root / "source.c").write_text("two\n")
        self.commit()
        self.long("good")
        self.assertEqual(self.runs("good"), 2)

    def test_with_uncommitted_changes_every_leg_runs(self):
        (self.root / "source.c").write_text("two\n")
        output = self.long("good")
        self.assertIn("+changes", output)
        self.long("good")
        self.assertEqual(self.runs("good"), 2)

    def test_what_cannot_run_here_is_skipped_and_tried_again(self):
        self.assertIn("absent: skipped", self.long("absent"))
        self.long("absent")
        self.assertEqual(self.runs("absent"), 2)

    def test_a_leg_has_no_input(self):
        self.assertNotIn("input:", self.long("good"))

    def test_the_page_has_the_last_result_of_each_leg(self):
        page = self.root / "docs" / "long-run.md"
        self.long("good", "bad", "--report", status=1)
        text = page.read_text()
        self.assertRegex(text, r"\| `good` \| \d{4}-\d\d-\d\d \| [0-9a-f]+ \|"
                               r" \d+\.\d \| passed \| 3 passed, 0 failed,")
        self.assertRegex(text, r"\| `bad` \|.*\| failed \| 2 passed, 1 failed")
        self.assertNotIn("absent", text)
        # Rows that another machine wrote stay.
        shutil.rmtree(self.root / "build-long")
        (self.folder / "mended").touch()
        self.long("bad", "--report")
        text = page.read_text()
        self.assertRegex(text, r"\| `good` \|.*\| passed \|")
        self.assertRegex(text, r"\| `bad` \|.*\| passed \|")

    def test_an_unknown_leg_is_refused_before_any_runs(self):
        output = self.long("good", "nosuch", status=2)
        self.assertIn("there is no leg nosuch; there are: absent bad good",
                      output)
        self.assertEqual(self.runs("good"), 0)

    def test_an_interrupted_run_goes_on_where_it_stopped(self):
        self.leg("slow", "test -e ../quick && exit 0\n"
                         "tail -f /dev/null >/dev/null & echo $! >../pid; echo waits; wait")
        self.commit()
        process = self.start("good", "slow")
        for line in process.stdout:
            if line == "waits\n":
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
        self.assertNotEqual(process.returncode, 0)
        pid = int((self.folder / "pid").read_text())
        self.addCleanup(lambda: self.lives(pid) and os.kill(pid, 9))
        self.wait_for_end(pid)
        (self.folder / "quick").touch()
        self.long("good", "slow")
        self.assertEqual((self.runs("good"), self.runs("slow")), (1, 2))

    def wait_for_end(self, pid):
        """What the leg started ends with it."""
        deadline = time.monotonic() + LIMIT
        while self.lives(pid):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)  # between two looks

    @staticmethod
    def lives(pid):
        try:
            text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        return text.rsplit(")", 1)[1].split()[0] != "Z"


if not shutil.which("git"):
    print("SKIPPED: git is not installed")
    sys.exit(77)
unittest.main(verbosity=2)
