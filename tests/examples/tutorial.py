#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tutorial, done as it is written: tutorial.py PAGE BUILD MEDIA-CHECK.
Four shells, each on a terminal of its own, get the commands and the keys of the
page in its order, and what the page shows must be seen there. Only the screen
and the place of the recording are changed.

On the page, an `sh` block holds commands for the terminal named last before it, a
`text` block holds what they show, and **Ctrl-C** in terminal N is a key. A number
on the page matches any number; 0, 1 and 2 standing alone must match exactly. A
process id stands for the process that was seen in its place. A command of
datahub is repeated until it shows what the page shows, and as many buffers sent
at least: the test is faster than a reader."""
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from remove_folder import remove_folder

PAGE, BUILD, MEDIA_CHECK = sys.argv[1:4]
# Seconds, for each thing that must be seen.
LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))
STEP = re.compile(r"[Tt]erminal (?P<terminal>\d)"
                  r"|\*\*Ctrl-(?P<key>[CZ])\*\* in terminal (?P<where>\d)"
                  r"|^```sh\n(?P<commands>.*?)^```"
                  r"|^```text\n(?P<shown>.*?)^```", re.M | re.S)
KEYS = {"C": b"\x03", "Z": b"\x1a"}
# What gst-launch-1.0 writes over and over on a terminal.
POSITION = re.compile(r"\r?[\d:.]+ / [\d:.]+\s*(\([ \d.]+%\))?\s*\r")
# Counts, and not parts of a time, a fraction or a size.
EXACT = re.compile(r"(?<![\w./:])(?<!row )[012](?![\w/:]|\.\d)")
NUMBER = re.compile(r"(\s+|…|\d+)")


class Terminal:
    def __init__(self, environment):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 40, 100, 0, 0))
        self.shell = subprocess.Popen(
            ["bash", "--norc", "-i"], stdin=slave, stdout=slave, stderr=slave,
            env=environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.master = master
        self.text = ""

    def read(self, seconds):
        """What has come, waiting for so long if nothing has."""
        while select.select([self.master], [], [], seconds)[0]:
            part = os.read(self.master, 65536).decode(errors="replace")
            sys.stdout.write(part)
            self.text += part
            seconds = 0

    def enter(self, line):
        self.read(0)
        self.text = ""
        os.write(self.master, line.encode() + b"\n")

    def press(self, key):
        os.write(self.master, KEYS[key])
        self.wait_for_prompt()

    def wait_for_prompt(self):
        end = time.monotonic() + LIMIT
        while not self.text.rstrip(" ").endswith("PROMPT"):
            if time.monotonic() > end:
                raise SystemExit(f"FAILED: no prompt again: {self.text}")
            self.read(0.2)

    def seen(self):
        return " ".join(POSITION.sub("\n", self.text).split())

    def close(self):
        """Ends all processes of the terminal, stopped ones too."""
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.getsid(int(name)) == self.shell.pid:
                    os.kill(int(name), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.shell.wait()
        os.close(self.master)


def pattern(shown):
    """The text of the page as an expression, and the numbers it captures."""
    shown = " ".join(shown.split())
    exact = {match.start() for match in EXACT.finditer(shown)}
    parts, numbers, place = [], [], 0
    for part in NUMBER.split(shown):
        if part == "…":
            parts.append(".*?")
        elif part.isspace():
            parts.append(" ?")
        elif part.isdigit() and place not in exact:
            parts.append(r"(\d+)")
            numbers.append(part)
        elif part.isdigit():
            parts.append(rf"\b{part}\b")
        else:
            parts.append(re.escape(part))
        place += len(part)
    return re.compile("".join(parts)), numbers


class Tutorial:
    def __init__(self, folder, environment):
        self.folder = folder
        self.pids = {}  # of the page, and what they are in this run
        self.terminals = {n: Terminal(environment) for n in "1234"}
        self.terminal = None  # the one named last
        self.commands = []

    def prepare(self):
        for terminal in self.terminals.values():
            terminal.enter("PS1=PROMPT; meson devenv -C " + BUILD
                           + " bash --norc -i")
            terminal.enter("PS1=PROMPT")
            terminal.enter("command -v datahub")
            end = time.monotonic() + LIMIT
            while f"{BUILD}/lib/cli/datahub" not in terminal.seen():
                assert time.monotonic() < end, terminal.text
                terminal.read(0.2)

    def translate(self, command):
        command = command.replace("autovideosink", "fakesink sync=true")
        command = command.replace("/tmp/", f"{self.folder}/")
        if command.startswith("kill "):
            command = re.sub(r"\d{3,}", lambda m: self.pids[m[0]], command)
        return command

    def enter(self, block):
        self.commands = [self.translate(command) for command in
                         re.split(r"(?<!\\)\n", block.strip())]
        for command in self.commands:
            self.terminal.enter(command.replace("\\\n", ""))
            if not command.startswith(("gst-launch", "fg")):
                self.terminal.wait_for_prompt()

    def expect(self, shown):
        expression, numbers = pattern(shown)
        end = time.monotonic() + LIMIT
        while not (match := expression.search(self.terminal.seen())
                   ) or self.is_early(numbers, match, shown):
            if time.monotonic() > end:
                raise SystemExit(f"FAILED: was not shown:\n{shown}")
            self.terminal.read(0.2)
            self.drain()
            if self.commands[-1].startswith("datahub "):
                self.terminal.enter(self.commands[-1])
                self.terminal.wait_for_prompt()
        self.pids.update(zip(numbers, match.groups()))

    def drain(self):
        """A program stands still if its terminal is full."""
        for terminal in self.terminals.values():
            if terminal is not self.terminal:
                terminal.read(0)

    @staticmethod
    def is_early(numbers, match, shown):
        sent = re.search(r"Sent +(\d+) buffers", shown)
        if not sent:
            return False
        return int(match[numbers.index(sent[1]) + 1]) < int(sent[1])

    def follow(self, page):
        for step in STEP.finditer(page):
            if step["terminal"]:
                self.terminal = self.terminals[step["terminal"]]
            elif step["key"]:
                self.terminal = self.terminals[step["where"]]
                self.terminal.press(step["key"])
            elif step["commands"]:
                self.enter(step["commands"])
            else:
                self.expect(step["shown"])

    def close(self):
        for terminal in self.terminals.values():
            terminal.close()


def main():
    page = pathlib.Path(PAGE).read_text()
    page = page[page.index("\n## 2."):]
    shm = tempfile.mkdtemp(prefix="datahub-test-", dir="/dev/shm")
    folder = tempfile.mkdtemp(prefix="datahub-test-")
    os.mkdir(f"{folder}/runtime", 0o700)
    tutorial = Tutorial(folder, {
        **os.environ, "DATAHUB_SHM_DIR": shm, "TERM": "dumb",
        "DATAHUB_RUNTIME_DIR": f"{folder}/runtime", "SHELL": "/bin/bash"})
    try:
        tutorial.prepare()
        tutorial.follow(page)
        for number in "23":  # the consumers ended by themselves
            tutorial.terminals[number].wait_for_prompt()
        count = subprocess.run([MEDIA_CHECK, "count", f"{folder}/cam0.mp4"],
                               capture_output=True, text=True, check=True)
        assert int(count.stdout.split()[0]) > 0, "nothing was recorded"
        assert not os.listdir(shm), f"left: {os.listdir(shm)}"
    finally:
        tutorial.close()
        remove_folder(shm)
        remove_folder(folder)


main()
