#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/camera-on-demand: camera_on_demand.py CAMERA README. The program and the
command of the page go on for a viewer and off without one."""
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile

LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))  # seconds
VIEWER = "gst-launch-1.0 -q datahubsrc datablock=cam0 ! fakesink"


def start(command, env):
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE)


def expect(process, *words):
    """Reads up to a line with all of @words."""
    for line in process.stdout:
        if all(word in line for word in words):
            return line
    raise AssertionError(f"{process.args[0]} ended without {words}")


def end(process):
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    assert process.wait(LIMIT) == 0, process.returncode


def exercise(camera, env, ready, on, off):
    expect(camera, ready)
    for number in (signal.SIGINT, signal.SIGKILL):
        viewer = start(shlex.split(VIEWER), env)
        expect(camera, on, "camera")
        viewer.send_signal(number)
        viewer.wait(LIMIT)
        expect(camera, off, "camera")
    end(camera)


def command_of(page):
    """The first command of the page."""
    return next(line.strip() for line in page.splitlines()
                if line.startswith("    gst-launch-1.0 -m "))


def main():
    program, page = sys.argv[1:]
    with tempfile.TemporaryDirectory(dir="/dev/shm",
                                     prefix="datahub-demand-") as directory:
        runtime = pathlib.Path(directory) / "run"
        runtime.mkdir(mode=0o700)
        env = dict(os.environ, DATAHUB_SHM_DIR=directory,
                   DATAHUB_RUNTIME_DIR=str(runtime), DATAHUB_BROKER="none")
        command = shlex.split(command_of(pathlib.Path(page).read_text()))
        exercise(start(["stdbuf", "-oL", program], env), env, "ready", "on:", "off:")
        exercise(start(["stdbuf", "-oL", *command], env), env, "PLAYING",
                 "datahub-source-started", "datahub-source-stopped")
        left = [name for name in os.listdir(directory) if name != "run"]
        assert not left, left


main()
