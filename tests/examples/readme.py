#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""README's three terminals, taken from README as they stand there; only the
camera's length, the screen and the place of the file are changed.
readme.py README MEDIA-CHECK consumers-first|producer-first"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from remove_folder import remove_folder

README, MEDIA_CHECK, ORDER = sys.argv[1:4]
FRAMES = 60
LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))  # seconds


def check(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def lines():
    text = pathlib.Path(README).read_text()
    start = text.index("## By hand, in three terminals")
    text = text[start:text.index("\n## ", start + 1)]
    found = re.findall(r"^    (gst-launch-1\.0 .*)$", text, re.M)
    check(len(found) == 3, f"README has {len(found)} lines, not three")
    return found


def main():
    camera, look, record = lines()
    shm = tempfile.mkdtemp(prefix="datahub-test-", dir="/dev/shm")
    home = tempfile.mkdtemp(prefix="datahub-test-")
    os.mkdir(f"{home}/runtime", 0o700)
    environment = {**os.environ, "DATAHUB_SHM_DIR": shm,
                   "DATAHUB_RUNTIME_DIR": f"{home}/runtime"}
    camera = camera.replace("videotestsrc",
                            f"videotestsrc num-buffers={FRAMES}")
    # A recording from the first frame on, whoever comes first.
    camera = camera.replace("datahubsink",
                            "datahubsink wait-for-consumers=2")
    look = look.replace("autovideosink", "fakesink")
    check("/tmp/cam0.mp4" in record, "where the file goes")
    record = record.replace("/tmp/cam0.mp4", f"{home}/cam0.mp4")
    commands = [look, record, camera]
    if ORDER == "producer-first":
        commands.reverse()
    running = []
    try:
        for command in commands:
            print(command, flush=True)
            running.append(subprocess.Popen("exec " + command, shell=True,
                                            env=environment,
                                            stdin=subprocess.DEVNULL))
        for command, process in zip(commands, running):
            check(process.wait(LIMIT) == 0, command)
        counted = subprocess.run([MEDIA_CHECK, "count", f"{home}/cam0.mp4"],
                                 capture_output=True, text=True, check=True)
        print(counted.stdout)
        check(counted.stdout.split()[0] == str(FRAMES), "frames recorded")
        check(not os.listdir(shm), f"left: {os.listdir(shm)}")
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
        remove_folder(shm)
        remove_folder(home)


main()
