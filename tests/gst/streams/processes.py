# SPDX-License-Identifier: LGPL-2.1-or-later
"""Witnesses as child processes, waited for by what they write."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "common"))
from remove_folder import remove_folder

LIMIT = 15 * int(os.environ.get("CHECK_SCALE", 1))  # seconds


class Late(Exception):
    """Something did not happen in time, or a process ended too early."""


class Witness:
    def __init__(self, program, name, pipeline, *options):
        self.name, self.pipeline, self.lines = name, pipeline, []
        self._changed = threading.Condition()
        self._errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [program, *options, pipeline], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE, stderr=self._errors, errors="replace")
        self._at_end = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._at_end = True
            self._changed.notify_all()

    def wait_for(self, start, count=1, unless=None):
        """Until that many lines begin so, or the other process has ended."""
        def found():
            return sum(line.startswith(start) for line in self.lines) >= count

        def given_up():
            return unless and unless.process.poll() is not None
        end = time.monotonic() + LIMIT
        with self._changed:
            while not (found() or self._at_end or given_up()
                       or time.monotonic() > end):
                self._changed.wait(0.1)
            if not found() and not given_up():
                raise Late(f"the {self.name} did not write {count} x "
                           f"{start!r}: {self.problem()}")

    def command(self, text):
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Late(f"the {self.name} ended before {text!r}: "
                       f"{self.problem()}") from None

    def offer(self, text):
        """A command that a process which has ended does not need."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()

    def problem(self):
        said = [line for line in self.lines
                if line.startswith(("error", "warning"))][:2]
        self._errors.seek(0)
        return " ".join([*said, *self._errors.read().splitlines()[:2]]) \
            or f"its last line is {self.lines[-1:]}"

    def finish(self):
        """Until it ends by itself."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise Late(f"the {self.name} did not end: {self.problem()}") \
                from None
        self._thread.join()
        if status not in (0, 1):
            raise Late(f"the {self.name} ended with {status}: {self.problem()}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._thread.join()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()  # writes what was not taken
        self.process.stdout.close()
        self._errors.close()


class Place:
    """Folders of one case, which end with it; keep gets each witness at the
    end."""

    def __init__(self, keep):
        self._keep = keep

    def __enter__(self):
        self.shm = tempfile.mkdtemp(prefix="datahub-streams-", dir="/dev/shm")
        self.home = tempfile.mkdtemp(prefix="datahub-streams-")
        os.environ.update(DATAHUB_SHM_DIR=self.shm, DATAHUB_BROKER="none",
                          DATAHUB_RUNTIME_DIR=self.home)
        self._running = []
        return self

    def start(self, *arguments):
        witness = Witness(*arguments)
        self._running.append(witness)
        return witness

    def left(self):
        """What is still in shared memory, when all have ended by themselves."""
        end = time.monotonic() + LIMIT
        while os.listdir(self.shm) and time.monotonic() < end \
                and any(w.process.poll() is None for w in self._running):
            time.sleep(0.005)  # between two looks
        return sorted(os.listdir(self.shm))

    def __exit__(self, *_):
        for witness in self._running:
            witness.kill()
            self._keep(witness)
        remove_folder(self.shm)
        remove_folder(self.home)


def missing(program, names):
    done = subprocess.run([program, "--missing", *names], text=True, check=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    return set(done.stdout.split())


class Media:
    """Files that Debian's own encoders make, once for each build folder."""

    def __init__(self, folder, program):
        self._folder, self._program = pathlib.Path(folder), program
        self._folder.mkdir(parents=True, exist_ok=True)

    def file(self, name, recipe):
        """The path of a file; {file} in its recipe is where it goes."""
        version = hashlib.sha256(recipe.encode()).hexdigest()[:8]
        stem, _, suffix = name.rpartition(".")
        path = self._folder / f"{stem}-{version}.{suffix}"
        with open(self._folder / f"{stem}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                fresh = path.with_name("new-" + path.name)
                self._make(recipe.replace("{file}", str(fresh)))
                fresh.replace(path)
        return str(path)

    def _make(self, pipeline):
        witness = Witness(self._program, "encoder", pipeline)
        try:
            witness.finish()
            if "eos" not in witness.lines:
                raise Late(f"no file: {witness.problem()}")
        finally:
            witness.kill()
