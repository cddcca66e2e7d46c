#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A refused resource ends no process with a signal: limits.py LIMITED DATAHUB
[PATTERN]

LIMITED is the program of limited.c, DATAHUB the command. A row of ROWS is a
role, a resource and its values. Each value is one process with that resource
refused. What it may do is end by itself: with data, or with an error. With
PATTERN only the rows that contain it run. The output is TAP."""
import concurrent.futures
import errno
import os
import pathlib
import resource
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
# No videotestsrc: its code generator makes a temporary file of its own.
BYTES = ("fakesrc num-buffers={n} sizetype=fixed sizemax={size} filltype=zero"
         " format=time ! application/x-limits ! ")
SINK = BYTES.format(n=12, size=50000) + "datahubsink datablock=x sync=false"
PIPELINES = {
    "sink": SINK,
    "strict sink": SINK + " strict=true",
    "source": "datahubsrc datablock=x num-buffers=2 timeout=2000000000"
              " ! fakesink async=false",
}
COMMANDS = {"list": ["list"], "doctor": ["doctor"], "inspect": ["inspect", "x"],
            "reclaim": ["reclaim"], "broker": ["broker"]}
NEEDS_PRODUCER = ("source", "list", "doctor", "inspect")
PRODUCER = (BYTES.format(n=-1, size=4096)
            + "identity sleep-time=20000 ! datahubsink datablock=x sync=false")

# role, resource, values, words that the output must contain at each value
ROWS = [
    ("sink", "nofile", range(10, 61), ""),
    ("strict sink", "nofile", range(10, 61), ""),
    ("source", "nofile", range(10, 41), ""),
    ("list", "nofile", range(10, 31), ""),
    ("doctor", "nofile", range(10, 31), ""),
    ("inspect", "nofile", range(8, 14), ""),
    ("reclaim", "nofile", range(8, 14), ""),
    ("broker", "nofile", range(10, 41), ""),
    ("sink", "fsize", [0, 1, 4096, 100_000, 1_000_000, 3_000_000],
     "RLIMIT_FSIZE"),
    ("strict sink", "fsize", [0, 1, 4096, 100_000, 1_000_000, 3_000_000],
     "RLIMIT_FSIZE"),
    ("source", "fsize", [0, 4096], ""),
    ("broker", "fsize", [0, 10, 100], ""),
    ("list", "fsize", [0, 10], ""),
    ("sink", "as", range(60_000_000, 900_000_000, 120_000_000), ""),
    ("source", "as", range(60_000_000, 900_000_000, 120_000_000), ""),
    ("list", "as", range(60_000_000, 900_000_000, 120_000_000), ""),
    ("broker", "as", range(60_000_000, 900_000_000, 120_000_000), ""),
    # GStreamer itself needs the streaming thread, and between those that are
    # refused and those that are enough it depends on which thread comes first.
    ("source", "nproc", [2, 3, 30], ""),
    ("sink", "nproc", [2, 3, 30], ""),
    ("list", "nproc", range(1, 7), ""),
    ("broker", "nproc", range(1, 7), ""),
    ("sink", "fallocate", [errno.ENOSPC, errno.EDQUOT], "shared memory"),
    ("strict sink", "fallocate", [errno.ENOSPC, errno.ENOMEM], "memory"),
    ("strict sink", "memfd_create", [errno.EMFILE, errno.EPERM], "memory"),
    ("source", "memfd_create", [errno.EMFILE], ""),
    ("sink", "inotify_init1", [errno.EMFILE], ""),
    ("source", "inotify_init1", [errno.EMFILE], ""),
    ("list", "inotify_init1", [errno.EMFILE], ""),
]


class Place:
    """Folders of the processes of a row."""

    def __init__(self, base, shm, name, user):
        self.folders = [base / name, shm / name]
        for folder in self.folders:
            folder.mkdir(mode=0o700)
            if user:
                os.chown(folder, user, user)
        self.env = dict(os.environ, DATAHUB_RUNTIME_DIR=str(self.folders[0]),
                        DATAHUB_SHM_DIR=str(self.folders[1]),
                        HOME=str(self.folders[0]))
        self.env.pop("DATAHUB_BROKER", None)
        self.env.pop("G_DEBUG", None)
        # the search for leaks at the end takes resources itself
        self.env["ASAN_OPTIONS"] = ":".join(
            filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))

    def remove(self):
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)


def as_user(user):
    """Nothing of Python runs in the child: other threads of this process may hold
    its locks."""
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def may_change_user():
    try:
        subprocess.run(["true"], check=True, **as_user(USERS))
    except (OSError, subprocess.SubprocessError):
        return False
    return True


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

    def has(self, words):
        """Reads on until it has @words."""
        while words not in self.text and self.read():
            pass
        return words in self.text

    def finish(self):
        """Reads to the end. Whether the process has ended in time."""
        while self.read():
            pass
        if not self.ended:
            self.process.kill()
        self.process.wait()
        return self.ended


class Limits:
    def __init__(self, limited, datahub, base, shm):
        self.limited, self.datahub = limited, datahub
        self.base, self.shm = base, shm

    def start_producer(self, place, user):
        """A producer that the broker knows; it serves until it is killed."""
        producer = subprocess.Popen(
            [self.limited, "nofile", "1024", "serve", PRODUCER],
            env=place.env, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **as_user(user))
        end = time.monotonic() + END_S
        listed = ""
        while not (" broker " in listed and " ready " in listed):
            if time.monotonic() > end or producer.poll() is not None:
                producer.kill()
                producer.wait()
                raise RuntimeError(f"no producer: {listed}")
            listed = subprocess.run(
                [self.datahub, "list"], env=place.env, capture_output=True,
                text=True, timeout=END_S, **as_user(user)).stdout
        return producer

    def command(self, role, kind, value):
        head = [self.limited, kind, str(value)]
        if role in PIPELINES:
            return head + ["pipeline", PIPELINES[role]]
        return head + ["run", self.datahub] + COMMANDS[role]

    def run(self, row, values):
        """Yields value, what is wrong, and the output."""
        role, kind = row[:2]
        user = USERS + ROWS.index(row) if kind == "nproc" else 0
        place = Place(self.base, self.shm, f"{role}-{kind}", user)
        others = []
        try:
            if role in NEEDS_PRODUCER and kind != "nproc":
                others.append(self.start_producer(place, user))
            for value in values:
                process = subprocess.Popen(
                    self.command(role, kind, value), env=place.env,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, **as_user(user))
                yield value, *self.end(role, process)
        finally:
            for other in others:
                other.kill()
                other.wait()
            place.remove()

    @staticmethod
    def end(role, process):
        """What is wrong, and the output."""
        output = Output(process)
        # a broker serves until it is ended
        if role == "broker" and output.has(b"event=serving"):
            process.send_signal(signal.SIGINT)
        in_time = output.finish()
        text = output.text.decode(errors="replace")
        if not in_time:
            return "does not end", text
        if process.returncode < 0:
            name = signal.Signals(-process.returncode).name
            return f"ended by {name}", text
        if role in PIPELINES and process.returncode > 1:
            return f"exit code {process.returncode}", text
        return "", text


def skipped(kind):
    if kind == "nproc" and not may_change_user():
        return "needs other users"
    if kind == "as" and os.environ.get("DATAHUB_TEST_SANITIZED"):
        return "a sanitizer takes more addresses than that"
    return ""


def judge(limits, row):
    kind, values, words = row[1:]
    faults = []
    for value, fault, output in limits.run(row, values):
        if not fault and words not in output:
            fault = f'does not mention "{words}"'
        if fault:
            faults.append(f"{kind} {value}: {fault}: {output[-600:]}")
    return faults


def report(number, row, faults):
    name = f"{row[0]}, {row[1]}"
    why = skipped(row[1])
    if why:
        print(f"ok {number} - {name} # SKIP {why}")
        return
    print(f"{'not ' if faults else ''}ok {number} - {name}:"
          f" {len(row[2])} values")
    for fault in faults:
        print("# " + fault.replace("\n", "\n#   "))
    sys.stdout.flush()


def main():
    rows = [row for row in ROWS
            if len(sys.argv) < 4 or sys.argv[3] in f"{row[0]}, {row[1]}"]
    base = pathlib.Path(tempfile.mkdtemp(prefix="datahub-limits-"))
    shm = pathlib.Path(tempfile.mkdtemp(prefix="datahub-limits-",
                                        dir="/dev/shm"))
    base.chmod(0o755)
    shm.chmod(0o755)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    failed = False
    try:
        limits = Limits(sys.argv[1], sys.argv[2], base, shm)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            jobs = [None if skipped(row[1]) else pool.submit(judge, limits, row)
                    for row in rows]
            print(f"1..{len(rows)}")
            for number, (row, job) in enumerate(zip(rows, jobs), 1):
                faults = job.result() if job else []
                failed = failed or bool(faults)
                report(number, row, faults)
    finally:
        shutil.rmtree(base, ignore_errors=True)
        shutil.rmtree(shm, ignore_errors=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
