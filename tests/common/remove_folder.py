# SPDX-License-Identifier: LGPL-2.1-or-later
"""The folder of a test is removed, although a broker removes or writes files in it
until it ends."""
import os
import shutil
import time

PATIENCE_S = 30


def remove_folder(folder):
    end = time.monotonic() + PATIENCE_S
    while os.path.lexists(folder):
        try:
            shutil.rmtree(folder)
        except OSError:  # a file came or went meanwhile
            if time.monotonic() > end:
                raise
            time.sleep(0.01)  # the pause of a poll: that broker is no child
