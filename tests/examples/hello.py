#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/hello: hello.py PRODUCER CONSUMER. Either program first; every line
arrives, both succeed, and no file is left."""
import os
import subprocess
import sys
import tempfile

LINES = "".join(f"hello {i}\n" for i in range(10))
LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))  # seconds


def run(order):
    with tempfile.TemporaryDirectory(dir="/dev/shm",
                                     prefix="datahub-hello-") as directory:
        env = dict(os.environ, DATAHUB_SHM_DIR=directory)
        running = [subprocess.Popen([program], env=env, text=True,
                                    stdout=subprocess.PIPE)
                   for program in order]
        output = {process.args[0]: process.communicate(timeout=LIMIT)[0]
                  for process in running}
        assert all(process.returncode == 0 for process in running), output
        assert not os.listdir(directory), os.listdir(directory)
        return output


def main():
    producer, consumer = sys.argv[1:]
    for order in ((producer, consumer), (consumer, producer)):
        output = run(order)
        assert output == {producer: "", consumer: LINES}, output


main()
