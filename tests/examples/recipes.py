#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands of a page, a recipe for each section: recipes.py PAGE MEDIA-CHECK.

All lines of a recipe run at once, the last line first, in a shared memory directory, a
runtime directory and a working directory of their own. Only the screen and the
loudspeaker are replaced. A recipe works if each datahubsrc gets buffers, each line that
is no pipeline succeeds and prints something while they flow, each pipeline that ends by itself or by Ctrl-C
exits with 0 and without an error, and each file that a pipeline names is there."""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from remove_folder import remove_folder

PAGE, MEDIA_CHECK = sys.argv[1:3]
DATAHUB = os.environ["DATAHUB_COMMAND"]
LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))  # seconds, for each event
ENOUGH = 5  # buffers that a consumer gets
REPLACED = {"autovideosink": "fakevideosink", "autoaudiosink": "fakeaudiosink"}


def recipes():
    """(title, lines) of each section that has commands."""
    for section in re.split(r"^## ", pathlib.Path(PAGE).read_text(), flags=re.M)[1:]:
        lines = re.findall(r"^    (\S.*)$", section, re.M)
        if lines:
            yield section.splitlines()[0], lines


def missing_parts(lines):
    """Programs and elements of the lines that are not installed."""
    programs = {line.split()[0] for line in lines} - {"datahub"}
    words = {word for line in lines if line.startswith("gst-launch")
             for word in re.findall(r"(?:! |^\S+ (?:-e )?)([a-z][a-z0-9_]+)(?= |$)", line)}
    words = {REPLACED.get(word, word) for word in words
             if not word.startswith("datahub")}
    return sorted([name for name in programs if not shutil.which(name)]
                  + [word for word in words if subprocess.run(
                      ["gst-inspect-1.0", word], stdout=subprocess.DEVNULL).returncode])


def ends_itself(line):
    return "num-buffers=" in line


class Failure(Exception):
    pass


class Kitchen:
    """The directories and the processes of one recipe."""

    def __init__(self):
        self.shm = tempfile.mkdtemp(prefix="datahub-test-", dir="/dev/shm")
        self.home = tempfile.mkdtemp(prefix="datahub-test-")
        os.mkdir(f"{self.home}/runtime", 0o700)
        self.environment = {**os.environ, "DATAHUB_SHM_DIR": self.shm,
                            "DATAHUB_RUNTIME_DIR": f"{self.home}/runtime"}
        self.pipelines = []

    def start(self, line):
        words = [REPLACED.get(word, word) for word in shlex.split(line)]
        output = open(f"{self.home}/{len(self.pipelines)}.log", "w+")
        process = subprocess.Popen(
            words, cwd=self.home, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.pipelines.append((process, output, line))

    def run(self, *words):
        return subprocess.run(words, cwd=self.home, text=True, timeout=LIMIT,
                              env=self.environment, capture_output=True)

    def ask(self, *words):
        return self.run(DATAHUB, *words)

    def check_pipelines(self):
        """None has failed."""
        for process, output, line in self.pipelines:
            output.seek(0)
            text = output.read()
            if process.poll() or "ERROR" in text or "WARNING" in text:
                raise Failure(f"{line}\n{text}")

    def served(self):
        """Consumers that have got enough, of all blocks and of pipelines that last."""
        lasting = {process.pid for process, _, line in self.pipelines
                   if not ends_itself(line)}
        blocks = json.loads(self.ask("list", "--json").stdout or "{}")
        names = {block["name"] for block in blocks.get("blocks", [])}
        answers = [json.loads(self.ask("inspect", name, "--json").stdout or "{}")
                   for name in names]
        return sum(consumer["received"] >= ENOUGH and consumer["pid"] in lasting
                   for answer in answers
                   for consumer in answer.get("consumer-list", []))

    def wait_for(self, condition, what):
        end = time.monotonic() + LIMIT
        while not condition():
            self.check_pipelines()
            if time.monotonic() > end:
                raise Failure(f"waited in vain for {what}\n{self.ask('list').stdout}")

    def interrupt(self):
        for process, _, _ in self.pipelines:
            process.send_signal(signal.SIGINT)
        for process, _, line in self.pipelines:
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                raise Failure(f"Ctrl-C does not end {line}") from None
        self.check_pipelines()

    def close(self):
        for process, output, _ in self.pipelines:
            process.kill()
            process.wait()
            output.close()
        remove_folder(self.shm)
        remove_folder(self.home)


def check_files(kitchen, lines):
    for name in re.findall(r" location=(\S+)", " ".join(lines)):
        found = list(pathlib.Path(kitchen.home).glob(re.sub("%0?[0-9]*d", "*", name)))
        if not found or not all(path.stat().st_size for path in found):
            raise Failure(f"{name} is not there, or empty")
        for path in found:
            if path.suffix == ".mp4" and subprocess.run(
                    [MEDIA_CHECK, "count", path], capture_output=True).returncode:
                raise Failure(f"{path.name} cannot be read")


def cook(kitchen, lines):
    pipelines = [line for line in lines if line.startswith("gst-launch-1.0")]
    for line in reversed(pipelines):
        kitchen.start(line)
    lasting = sum(line.count("datahubsrc") for line in pipelines
                  if not ends_itself(line))
    kitchen.wait_for(lambda: kitchen.served() >= lasting, f"{lasting} consumers")
    for process, _, line in kitchen.pipelines:
        if ends_itself(line):
            kitchen.wait_for(lambda: process.poll() is not None, line)
    for line in lines:
        if line in pipelines:
            continue
        program, *words = shlex.split(line)
        run = kitchen.run(DATAHUB if program == "datahub" else program, *words)
        if run.returncode or not run.stdout:
            raise Failure(f"{line}: exit status {run.returncode}\n{run.stdout}{run.stderr}")
    kitchen.interrupt()
    check_files(kitchen, lines)


def serve(number, title, lines):
    """Whether the recipe works, or cannot be tried here."""
    missing = missing_parts(lines)
    if missing:
        print(f"ok {number} - {title} # SKIP no {', '.join(missing)}")
        return True
    kitchen = Kitchen()
    try:
        cook(kitchen, lines)
    except Failure as failure:
        print("".join(f"# {line}\n" for line in str(failure).splitlines()), end="")
        print(f"not ok {number} - {title}", flush=True)
        return False
    finally:
        kitchen.close()
    print(f"ok {number} - {title}", flush=True)
    return True


all_recipes = list(recipes())
results = [serve(number, title, lines)
           for number, (title, lines) in enumerate(all_recipes, 1)]
print(f"1..{len(results)}")
sys.exit(not results or not all(results))
