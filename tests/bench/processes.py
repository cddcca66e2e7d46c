# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the processes of one measurement, and nothing outside of a folder of its
own in shared memory."""
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

LONGEST_S = 150
SKIPPED = 77
# They do not limit what is in flight; some of them deadlock without a limit.
UNLIMITED = {"shm", "unixfd", "tcp", "zmq"}
WITH_SOCKET = {"shm", "unixfd"}


class Failed(Exception):
    """The measurement has no result; the text is the reason."""


class Skipped(Failed):
    """The transport is not on this machine."""


class Bench:
    def __init__(self, build, scratch):
        self.build = os.path.abspath(build)
        self.folder = tempfile.mkdtemp(prefix="datahub-bench-", dir=scratch)
        self.env = dict(
            os.environ,
            GST_PLUGIN_PATH=os.path.join(self.build, "gst"),
            GST_REGISTRY=os.path.join(self.build, "gst-registry.bin"),
            DATAHUB_SHM_DIR=os.path.join(self.folder, "blocks"),
            DATAHUB_RUNTIME_DIR=os.path.join(self.folder, "run"),
            DATAHUB_BROKER_HELPER=os.path.join(
                self.build, "lib", "datahub", "datahub-broker"))
        os.mkdir(self.env["DATAHUB_SHM_DIR"])
        os.mkdir(self.env["DATAHUB_RUNTIME_DIR"], 0o700)
        self.number = 0
        self.daemon = None

    def program(self, name):
        return os.path.join(self.build, "tests", "bench", name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def close(self):
        if self.daemon:
            end_of(self.daemon)
        shutil.rmtree(self.folder, ignore_errors=True)

    def need_iceoryx(self):
        """Starts the daemon that iceoryx needs."""
        if self.daemon and self.daemon.poll() is None:
            return
        command = shutil.which("iox-roudi")
        if not command:
            raise Skipped("iox-roudi is not installed")
        self.daemon = subprocess.Popen([command], stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
        wait_for_line(self.daemon, self.daemon.stdout, "ready")

    def lines_of(self, program, *arguments):
        """The JSON lines of a program that measures by itself."""
        done = subprocess.run([self.program(program), *arguments], env=self.env,
                              stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, timeout=600, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def channel_for(self, transport):
        self.number += 1
        if transport in WITH_SOCKET or transport == "floor":
            return self.path(f"socket{self.number}")
        if transport == "zmq":
            return "ipc://" + self.path(f"socket{self.number}")
        if transport == "tcp":
            with socket.create_server(("127.0.0.1", 0)) as free:
                return str(free.getsockname()[1])
        return f"bench{self.number}"

    def measure(self, program, transport, receivers, arguments, trace=None):
        """What the processes printed: (sender, [receiver]). @trace: a function
        that returns the command before a process, by its number; 0 is the
        producer."""
        run = Run(self, program, transport, receivers, arguments, trace)
        try:
            return run.both() if transport == "queue" else run.each()
        finally:
            run.close()


class Run:
    """One measurement."""

    def __init__(self, bench, program, transport, receivers, arguments, trace):
        self.bench, self.transport, self.receivers = bench, transport, receivers
        self.trace = trace or (lambda number: [])
        self.channel = bench.channel_for(transport)
        self.running = []
        board = bench.path("board")
        with open(board, "wb"):
            pass  # a new one: it is empty
        self.command = [
            bench.program(program), f"--transport={transport}",
            f"--channel={self.channel}", f"--board={board}",
            f"--receivers={receivers}", *arguments]
        if transport in UNLIMITED:
            self.command.append("--limited")

    def start(self, role, number, *more):
        process = subprocess.Popen(
            [*self.trace(number), *self.command, f"--role={role}", *more],
            env=self.bench.env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.running.append(process)
        return process

    def both(self):
        result = result_of(self.start("both", 0))
        return result, [result]

    def each(self):
        sender = self.start("produce", 0)
        wait_for_line(sender, sender.stderr, "ready")
        if self.transport in WITH_SOCKET:
            wait_for_path(self.channel, sender)
        readers = [self.start("consume", i + 1, f"--receiver={i}")
                   for i in range(self.receivers)]
        wait_for_all([sender, *readers])
        received = [result_of(reader) for reader in readers]
        return result_of(sender, may_hang=True), received

    def close(self):
        for process in self.running:
            end_of(process)
        os.unlink(self.bench.path("board"))


def end_of(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
    process.communicate()


def wait_for_line(process, stream, word):
    """A line with this word; the process must print little else."""
    end = time.monotonic() + 60
    seen = b""
    while time.monotonic() < end and word.encode() not in seen:
        if select.select([stream], [], [], 1)[0]:
            # not by the stream, which may keep lines that select() does not see
            more = os.read(stream.fileno(), 4096)
            seen += more
            if not more:
                break
    if word.encode() in seen:
        return
    if process.poll() is None:
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            pass
    kind = Skipped if process.returncode == SKIPPED else Failed
    lines = seen.decode(errors="replace").strip().split("\n")
    raise kind(lines[-1] or "a process did not start")


def wait_for_path(path, process):
    end = time.monotonic() + 10
    while not os.path.exists(path):
        if time.monotonic() > end or process.poll() is not None:
            raise Failed("its socket did not appear")
        time.sleep(0.005)  # the socket of another program: it has no event


def wait_for_all(processes):
    """Until all but the first have ended, and the first, too, or 3 s have passed."""
    poll = select.poll()
    ends = {os.pidfd_open(process.pid): process for process in processes}
    try:
        for descriptor in ends:
            poll.register(descriptor, select.POLLIN)
        wait_for_ends(poll, dict(ends), processes[0])
    finally:
        for descriptor in ends:
            os.close(descriptor)


def wait_for_ends(poll, running, first):
    end = time.monotonic() + LONGEST_S
    while running:
        last = list(running.values()) == [first]
        ready = poll.poll(3000 if last else max(end - time.monotonic(), 0) * 1000)
        if not ready and last:
            return
        if not ready:
            raise Failed(f"a process did not end within {LONGEST_S} s")
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            process = running.pop(descriptor)
            if process.wait() != 0:
                # the others would wait for it
                result_of(process)


def result_of(process, may_hang=False):
    """What a process printed. Without its readers a sender may hang after it
    has printed it."""
    try:
        out, err = process.communicate(timeout=0.1 if may_hang else LONGEST_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        may_hang = "{" in out
        process.returncode = 0 if may_hang else process.returncode
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if process.returncode == 0 and lines:
        return json.loads(lines[-1])
    reasons = [line for line in err.splitlines() if line.strip() != "ready"]
    kind = Skipped if process.returncode == SKIPPED else Failed
    raise kind(reasons[-1] if reasons else f"exit status {process.returncode}")
