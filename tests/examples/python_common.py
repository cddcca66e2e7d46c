# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the examples in Python share: a place of their own, child
processes that are waited for by what they say, one way to run and to skip."""
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from remove_folder import remove_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
READER = ROOT / "examples" / "python-reader"
CTYPES = ROOT / "examples" / "python-ctypes"
# Seconds that anything may take.
LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))
SKIPPED = 77  # exit status, to Meson


class Child:
    """A process, whose lines are waited for one by one."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self._queue = queue.Queue()
        self._errors = []
        self._threads = [threading.Thread(target=self._listen, daemon=True),
                         threading.Thread(target=self._listen_errors,
                                          daemon=True)]
        for thread in self._threads:
            thread.start()

    def _listen(self):
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def _listen_errors(self):
        self._errors.extend(self.process.stderr)

    @property
    def errors(self):
        return "".join(self._errors)

    def line(self):
        """The next line, or None at the end."""
        try:
            line = self._queue.get(timeout=LIMIT)
        except queue.Empty:
            raise AssertionError(f"silent for {LIMIT} s after "
                                 f"{self.lines[-5:]}") from None
        if line is not None:
            self.lines.append(line)
        return line

    def expect(self, pattern):
        """Reads up to the first line that matches; its match."""
        while (line := self.line()) is not None:
            match = re.search(pattern, line)
            if match:
                return match
        self.process.wait(LIMIT)
        raise AssertionError(f"no line like {pattern!r} in {self.lines[-9:]}, "
                             f"exit {self.process.returncode}: {self.errors}")

    def finish(self):
        """Reads to the end; the exit status."""
        while self.line() is not None:
            pass
        status = self.process.wait(LIMIT)
        for thread in self._threads:
            thread.join(LIMIT)
        return status

    def buffers(self):
        return [line for line in self.lines if line.startswith("buffer ")]

    def lost(self):
        return sum(int(line.split()[2]) for line in self.lines
                   if line.startswith("# lost "))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(LIMIT)
        for stream in (self.process.stdin, self.process.stdout,
                       self.process.stderr):
            stream.close()


class Producer(Child):
    """python_producer.c."""

    def __init__(self, channel="test", size=4096, slots=16, ring=8, checksum=0):
        super().__init__(os.environ["PYTHON_PRODUCER"], channel, size, slots,
                         ring, checksum)
        self.expect("^done$")

    def tell(self, command):
        """Gives a command and waits until it is done; the lines about it."""
        before = len(self.lines)
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self.expect("^done$")
        return self.lines[before:-1]

    def die(self):
        self.process.stdin.write("die\n")
        self.process.stdin.flush()
        self.finish()


class MetaLocation(unittest.TestCase):
    """A test with folders and children of its own."""

    def setUp(self):
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.shm = tempfile.mkdtemp(prefix="datahub-test-", dir=memory)
        self.home = tempfile.mkdtemp(prefix="datahub-test-")
        os.environ["DATAHUB_SHM_DIR"] = self.shm
        os.environ["DATAHUB_RUNTIME_DIR"] = self.home
        self._children = []

    def tearDown(self):
        for child in self._children:
            child.kill()
        remove_folder(self.shm)
        remove_folder(self.home)

    def child(self, child):
        self._children.append(child)
        return child

    def producer(self, *args, **options):
        return self.child(Producer(*args, **options))

    def python(self, script, *arguments):
        return self.child(Child(sys.executable, script, *arguments))

    def reader(self, *arguments):
        return self.python(READER / "read-datablock.py", *arguments)

    def stop(self, child):
        """SIGSTOP, and it has taken effect."""
        child.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.process.pid, os.WSTOPPED | os.WNOWAIT)

    def wait_until(self, condition, what):
        deadline = time.monotonic() + LIMIT
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.005)  # between two looks

    def nothing_left(self):
        self.wait_until(lambda: not os.listdir(self.shm),
                        f"left: {os.listdir(self.shm)}")


def need_numpy():
    """Skips the whole program, loudly, without NumPy."""
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        print(f"SKIPPED: NumPy (Debian: python3-numpy) is not there for "
              f"{sys.executable}: {error}")
        sys.exit(SKIPPED)


def need_plain_library():
    """A sanitizer's run-time library must be first in a process; Python's is
    not built for that."""
    if os.environ.get("DATAHUB_SANITIZED"):
        print("SKIPPED: a library built with "
              f"{os.environ['DATAHUB_SANITIZED']} cannot be loaded by Python")
        sys.exit(SKIPPED)


def main():
    unittest.main(verbosity=2)
