#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/index-queue: index_queue.py PROGRAM. Either side first; what was sent
arrives, and nothing is left behind."""
import os
import subprocess
import sys
import tempfile

COUNT = "300000"
LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))  # seconds


def run(program, order):
    with tempfile.TemporaryDirectory(dir="/dev/shm",
                                     prefix="datahub-queue-") as directory:
        env = dict(os.environ, DATAHUB_SHM_DIR=directory)
        running = [subprocess.Popen([program, what, "numbers", COUNT], env=env,
                                    stdout=subprocess.PIPE, text=True)
                   for what in order]
        said = {what: process.communicate(timeout=LIMIT)[0]
                for what, process in zip(order, running)}
        assert all(process.returncode == 0 for process in running), said
        assert said == {"send": f"sent {COUNT}\n",
                        "receive": f"received {COUNT}\n"}, said
        assert not os.listdir(directory), os.listdir(directory)


def main():
    program = sys.argv[1]
    run(program, ("send", "receive"))
    run(program, ("receive", "send"))
    wrong = subprocess.run([program, "sing"], stderr=subprocess.PIPE,
                           check=False)
    assert wrong.returncode == 2 and b"usage" in wrong.stderr


main()
