# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the processes of limits.py run, as which user, and what they print."""
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# No process waits so long; a busy machine and a sanitizer are slow.
END_S = 120 * int(os.environ.get("CHECK_SCALE", 1))
# The kernel counts the processes and threads of a user in all runs of this test.
USERS = 100_000 + os.getpid() % 1_000_000 * 100
INSIDE = "DATAHUB_LIMITS_INSIDE"
FILE_SYSTEM = 8 << 20


def as_user(user):
    """Nothing of Python runs in the child: other threads of this process may hold
    its locks."""
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def works(*command, **options):
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=END_S,
                       **options)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def may_change_user():
    return works("true", **as_user(USERS))


def enter():
    """Goes on in a mount namespace of its own, if that is allowed."""
    if INSIDE not in os.environ and works("unshare", "--mount", "true"):
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private",
                              sys.executable, *sys.argv])


def may_mount():
    return INSIDE in os.environ


class Output:
    """What a process prints, until a deadline."""

    def __init__(self, process):
        self.process, self.text, self.ended = process, b"", False
        self.end = time.monotonic() + END_S

    def read(self):
        """Some more of it; nothing if it has ended, or if it is too late."""
        left = self.end - time.monotonic()
        ready = select.select([self.process.stdout], [], [], max(left, 0))[0]
        more = os.read(self.process.stdout.fileno(), 4096) if ready else b""
        self.ended = self.ended or bool(ready) and not more
        self.text += more
        return more

    def has(self, *words):
        """Reads on until it has one of @words."""
        def found():
            return any(word in self.text for word in words)
        while not found() and self.read():
            pass
        return found()

    def finish(self):
        """Reads to the end. Whether the process has ended in time."""
        while self.read():
            pass
        if not self.ended:
            self.process.kill()
        self.process.wait()
        return self.ended

    def judge(self):
        """What is wrong with the end of the process."""
        if not self.finish():
            return "does not end"
        code = self.process.returncode
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        if code > 0 and not self.text.strip():
            return f"exit code {code} without a message"
        return ""

    @property
    def said(self):
        return self.text.decode(errors="replace")


class Place:
    """The folders of the processes of a row."""

    def __init__(self, base, shm, name, user):
        self.runtime, self.shm = base / name, shm / name
        self.files = base / f"{name}-files"
        self.user, self.mounted = user, None
        for folder in (self.runtime, self.shm, self.files):
            folder.mkdir(mode=0o700)
            if user:
                os.chown(folder, user, user)
        self.env = dict(os.environ, DATAHUB_RUNTIME_DIR=str(self.runtime),
                        DATAHUB_SHM_DIR=str(self.shm), HOME=str(self.files))
        self.env.pop("DATAHUB_BROKER", None)
        self.env.pop("G_DEBUG", None)
        # the search for leaks at the end takes resources itself
        self.env["ASAN_OPTIONS"] = ":".join(
            filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))

    def fill(self, kind, value):
        """Mounts a file system that has @value bytes left, or so many files."""
        which, what = kind.split()
        folder = self.runtime if which == "runtime" else self.shm
        files = value + 1 if what == "files" else 1000
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        f"mode=700,size={FILE_SYSTEM},nr_inodes={files}",
                        "tmpfs", folder], check=True, timeout=END_S)
        self.mounted = folder
        if what == "space":
            (folder / "other").write_bytes(bytes(FILE_SYSTEM - value))

    def empty(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.mounted], check=True,
                           timeout=END_S)
        self.mounted = None

    def move(self, value):
        """A runtime directory that the broker of the value before does not serve."""
        folder = self.runtime / str(value)
        folder.mkdir(mode=0o700)
        if self.user:
            os.chown(folder, self.user, self.user)
        self.env["DATAHUB_RUNTIME_DIR"] = str(folder)

    def start(self, command, **environment):
        process = subprocess.Popen(
            command, env={**self.env, **environment}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            **as_user(self.user))
        return Output(process)

    def run(self, *command):
        """What @command prints."""
        output = self.start(command)
        output.finish()
        return output.said

    def remove(self):
        self.empty()
        for folder in (self.runtime, self.shm, self.files):
            shutil.rmtree(folder, ignore_errors=True)


class Places:
    """The folders of all rows."""

    def __enter__(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="datahub-limits-"))
        self.shm = pathlib.Path(tempfile.mkdtemp(prefix="datahub-limits-",
                                                 dir="/dev/shm"))
        self.base.chmod(0o755)
        self.shm.chmod(0o755)
        return self

    def __exit__(self, *_):
        # a helper that ends may make its key again meanwhile
        end = time.monotonic() + END_S
        for folder in (self.base, self.shm):
            shutil.rmtree(folder, ignore_errors=True)
            while folder.exists() and time.monotonic() < end:
                time.sleep(0.05)  # between two looks
                shutil.rmtree(folder, ignore_errors=True)

    def make(self, number, row):
        user = USERS + number if row.kind == "nproc" else 0
        return Place(self.base, self.shm, f"row{number}", user)
