#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mistakes of users, in a table: what is done, the exit status, and words that the
message must have: what happened, why, and what to do. Elements, library and command."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from remove_folder import remove_folder

LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))
PICTURE = ("videotestsrc num-buffers=9 ! "
           "video/x-raw,format=I420,width=64,height=64 ! ")

# Shell lines in a directory of their own. $D is the command; k.key, k.pub and l.key,
# l.pub are pairs of keys; r is the runtime directory.
COMMAND = [
    ("an unknown command", "$D frobnicate", 2,
     ['unknown command "frobnicate"', "datahub --help"]),
    ("an unknown option", "$D list --frob", 2,
     ["--frob", "See: datahub list --help"]),
    ("no name", "$D inspect", 2, ["expected one NAME", "datahub inspect cam0"]),
    ("a name that is not there", "$D inspect nosuch", 3,
     ['no DataBlock "nosuch"', "datahub list"]),
    ("a name that cannot be", "$D inspect ../x", 2,
     ['"../x" is not allowed', "the first a letter or digit"]),
    ("doctor of a name that is not there", "$D doctor nosuch", 3,
     ['no DataBlock "nosuch"', "datahub list"]),
    ("too long a look", "$D doctor --watch 99999", 2,
     ["--watch takes 0 to 3600 seconds"]),
    ("to close without a name", "$D doctor --close", 2,
     ["--close", "need the NAME of a block"]),
    ("an argument too many", "$D list extra", 2, ["takes no arguments"]),
    ("a directory as allow-list", "$D broker -c .", 1,
     ["is a directory", "--config takes the allow-list"]),
    ("no allow-list there", "$D broker -c nofile", 1,
     ["nofile", "no such file", "write an allow-list"]),
    ("an allow-list that others can change",
     "echo '{\"clients\":[]}' > a; chmod 666 a; $D broker -c a", 1,
     ["others can change the allow-list", "chmod go-w a"]),
    ("an allow-list that is no JSON", "echo '{' > a; $D broker -c a", 1,
     ["a:2:", "expected"]),
    ("an allow-list of another shape",
     "echo '{\"client\":[]}' > a; $D broker -c a", 1,
     ["a: the file must contain an object with one \"clients\" list"]),
    ("an endpoint without a port", "$D broker -e tcp://studio", 1,
     ["tcp://studio must contain a host and a port", "tcp://studio:5570"]),
    ("an endpoint with a relative path", "$D broker -e ipc://x", 1,
     ["absolute path", "ipc:///run/user/1000/"]),
    ("an endpoint of another kind", "$D broker -e udp://x", 1,
     ['"udp://x" is not an endpoint', "ipc:///path or tcp://host:port"]),
    ("a broker without its keys", "$D list --broker tcp://127.0.0.1:9", 1,
     ["endpoint tcp://127.0.0.1:9 needs", "--server-key", "--key",
      "curve-server-key", "r has no keys"]),
    ("a broker with one key missing",
     "$D list --broker tcp://127.0.0.1:9 --server-key k.pub", 1,
     ["needs the file of the secret key of this client", "--key"]),
    ("a public key as the secret one",
     "$D list --broker tcp://127.0.0.1:9 --server-key k.pub --key l.pub", 1,
     ["l.pub is a public key by its name", "give the file of the secret key"]),
    ("a secret key as the server's",
     "$D list --broker tcp://127.0.0.1:9 --server-key k.key --key l.key", 1,
     ["k.key is a secret key", "k.pub is beside it; give that file"]),
    ("a key file that is not there",
     "$D list --broker tcp://127.0.0.1:9 --server-key k.pub --key nofile", 1,
     ["cannot open key file nofile", "datahub keygen"]),
    ("a secret key that others can read",
     "chmod 644 l.key; $D list --broker tcp://127.0.0.1:9 --server-key k.pub "
     "--key l.key", 1,
     ["l.key has mode 0644", "others can read it", "chmod 600 l.key"]),
    ("keys that exist", "$D keygen k", 1,
     ["k.key exists already", "remove it first"]),
    ("a runtime directory in no directory",
     "DATAHUB_RUNTIME_DIR=$PWD/no/where $D broker", 1,
     ["cannot create runtime directory", "set DATAHUB_RUNTIME_DIR"]),
    ("a runtime directory for all", "chmod 755 r; $D broker", 1,
     ["r has mode 0755", "others can enter it", "chmod 700"]),
    ("a runtime directory that is a link",
     "ln -s r l; DATAHUB_RUNTIME_DIR=$PWD/l $D broker", 1,
     ["is a symbolic link", "another user could have placed",
      "set DATAHUB_RUNTIME_DIR"]),
    ("a full output", "$D list --broker none > /dev/full", 1,
     ["cannot write the output", "No space left"]),
    ("help for a full output", "$D list --help > /dev/full", 1,
     ["cannot write the output"]),
    ("the version for a full output", "$D --version > /dev/full", 1,
     ["cannot write the output"]),
]

# Pipelines.
ELEMENTS = [
    ("a name that cannot be", PICTURE + 'datahubsink datablock="a b"',
     ['"a b" is not allowed', "the first a letter or digit"]),
    ("no producer", "datahubsrc broker=none timeout=100000000 ! fakesink",
     ["No producer", "within 0.1 s", "Start one"]),
    ("a time in seconds", "datahubsrc broker=none timeout=5 ! fakesink",
     ["5 ns", "timeout is in nanoseconds: 1 s is 1000000000"]),
    ("no endpoint", PICTURE + "datahubsink broker=nonsense",
     ['"nonsense" is not an endpoint', "auto, ipc:///path"]),
    ("a public key as the secret one",
     PICTURE + "datahubsink curve-key-file=l.pub",
     ["l.pub is a public key by its name", "secret key"]),
    ("a small limit", PICTURE + "datahubsink broker=none max-bytes=1000",
     ["max-bytes allows 1000", "Raise max-bytes"]),
    ("a single slot", PICTURE + "datahubsink broker=none slots=1",
     ["1 slots are not possible", "between 4 and"]),
    ("a mode for others", PICTURE + "datahubsink broker=none shm-mode=0666",
     ["shm-mode=0666 admits other users", "Set strict=true"]),
    ("two producers of one name",
     2 * (PICTURE + "datahubsink broker=none datablock=a "),
     ['"a"', "producer", "Stop it, or choose another name"]),
]

LIBRARY = [
    ("bad-name", ['"../cam0" is not allowed', "the first a letter or digit"]),
    ("long-name", ["is longer than 64 characters"]),
    ("too-many-consumers", ["100000 consumers are not possible", "at most 256"]),
    ("too-few-slots", ["1 slots are not possible", "between 4 and"]),
    ("no-producer", ['There is no DataBlock "cam0"']),
    ("attach-bad-name", ['"cam 0" is not allowed']),
    ("too-big", ["Not enough shared memory", "free of",
                 "Make that file system bigger, or use fewer or smaller slots"]),
]


# Mounts of their own, as root.
MOUNTS = [
    ("a small file system", "mkdir m; mount -t tmpfs -o size=1m tmpfs m; "
     "DATAHUB_SHM_DIR=$PWD/m $D doctor --broker none >&2", 4,
     ["m is small: it has 1.0 MiB", "remount,size=2G", "--shm-size=2g"]),
    ("no proc", "mount -t tmpfs tmpfs /proc; $DATAHUB_MISTAKES start", 1,
     ["/proc is not mounted here", "mount -t proc proc /proc"]),
]


def may_mount():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-m", "true"], capture_output=True).returncode == 0


class Mistakes(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="datahub-mistakes-"))
        self.memory = tempfile.mkdtemp(prefix="datahub-mistakes-", dir="/dev/shm")
        (self.place / "r").mkdir(mode=0o700)
        self.environment = dict(
            os.environ, D=os.environ["DATAHUB_COMMAND"], LC_ALL="C.UTF-8",
            DATAHUB_RUNTIME_DIR=str(self.place / "r"),
            DATAHUB_SHM_DIR=self.memory)
        self.environment.pop("DATAHUB_BROKER", None)

    def tearDown(self):
        remove_folder(self.place)
        remove_folder(self.memory)

    def run_in_place(self, *command):
        run = subprocess.run(command, cwd=self.place, env=self.environment,
                             capture_output=True, text=True, timeout=LIMIT)
        return run.returncode, run.stdout, run.stderr

    def make_keys(self):
        for name in "k", "l":
            status, _, errors = self.run_in_place("sh", "-c", f"$D keygen {name}")
            self.assertEqual(status, 0, errors)

    def expect(self, text, words):
        text = " ".join(text.split())  # it may be wrapped
        for word in words:
            self.assertIn(word, text)

    def check_command(self, line, status, words):
        self.make_keys()
        found, _, errors = self.run_in_place("sh", "-c", line)
        self.assertEqual(found, status, errors)
        self.expect(errors, words)
        # one message, not one of the command and one of the library
        self.assertEqual(errors.count(words[0]), 1, errors)
        if "runtime" not in line and "needs" in words[0]:
            self.assertNotIn("mkdir", errors)

    def check_pipeline(self, line, words):
        self.make_keys()
        _, output, errors = self.run_in_place(os.environ["DATAHUB_TEST_CHILD"],
                                              line)
        complaints = [line for line in output.splitlines()
                      if line.startswith("error ")]
        self.assertTrue(complaints, output + errors)
        self.expect(complaints[0], words)

    def check_library(self, mistake, words):
        status, _, errors = self.run_in_place(os.environ["DATAHUB_MISTAKES"],
                                              mistake)
        self.assertEqual(status, 1, errors)
        self.expect(errors, words)


    def check_mounts(self, line, status, words):
        if not may_mount():
            self.skipTest("only root can mount")
        found, _, errors = self.run_in_place("unshare", "-m", "sh", "-c", line)
        self.assertEqual(found, status, errors)
        self.expect(errors, words)


def add(kind, name, check, *row):
    title = "test_%s_%s" % (kind, name.replace(" ", "_").replace("-", "_"))
    setattr(Mistakes, title, lambda self: check(self, *row))


for NAME, *ROW in COMMAND:
    add("command", NAME, Mistakes.check_command, *ROW)
for NAME, *ROW in ELEMENTS:
    add("element", NAME, Mistakes.check_pipeline, *ROW)
for NAME, *ROW in MOUNTS:
    add("mount", NAME, Mistakes.check_mounts, *ROW)
for NAME, *ROW in LIBRARY:
    add("library", NAME, Mistakes.check_library, NAME, *ROW)

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
