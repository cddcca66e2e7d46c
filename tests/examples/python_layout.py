#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/python-ctypes declares the structures, constants and functions of the
headers just as the C compiler sees them. Needs no NumPy and no library."""
import ctypes
import os
import subprocess
import sys
import unittest

import python_common
from python_common import CTYPES

sys.path.insert(0, str(CTYPES))
import datahub  # noqa: E402

# Elsewhere than in datahub.py because the examples do not call them.
NOT_CALLED = {"datahub_producer_" + name for name in (
    "ref", "unref", "acquire_slot_for", "commit_batch", "wait_attention", "list_consumers",
    "take_requests", "take_changes", "count_dropped", "count_copied", "note_error",
    "get_batch_max", "get_slot_size", "check_names",
    "succeed")} | {"datahub_consumer_has_successor"}
NAMES = {"DATAHUB_ERROR_FIRST", "DATAHUB_N_CONTEXTS", "DATAHUB_WAIT_ACQUIRE",
         "DATAHUB_WAIT_COMMIT", "DATAHUB_WAIT_CONSUMERS",
         "DATAHUB_WAIT_ATTENTION"}  # and constants


class Layout(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        run = subprocess.run([os.environ["PYTHON_LAYOUT"]], check=True,
                             capture_output=True, text=True)
        cls.found = [line.split() for line in run.stdout.splitlines()]

    def of(self, kind):
        return {words[1]: tuple(map(int, words[2:]))
                for words in self.found if words[0] == kind}

    def structures(self):
        return {name: value for name, value in vars(datahub).items()
                if isinstance(value, type) and name.startswith("Datahub")
                and issubclass(value, ctypes.Structure)}

    def test_structures_have_their_size(self):
        declared = {name: (ctypes.sizeof(structure),)
                    for name, structure in self.structures().items()}
        self.assertGreater(len(declared), 9)
        self.assertEqual(declared, self.of("struct"))

    def test_fields_have_their_place_and_size(self):
        declared = {}
        for name, structure in self.structures().items():
            for field, _ in structure._fields_:
                where = getattr(structure, field)
                declared[f"{name}.{field}"] = (where.offset, where.size)
        self.assertEqual(declared, self.of("field"))

    def test_constants_have_their_value(self):
        told = self.of("constant")
        declared = {name: (value,) for name, value in datahub.VALUES.items()}
        self.assertEqual(declared, {name: value for name, value in told.items()
                                    if name not in NAMES})
        self.assertEqual(told["DATAHUB_N_CONTEXTS"], (datahub.N_CONTEXTS,))

    def test_functions_have_their_arguments(self):
        declared = {"datahub_" + name: (len(arguments),) for name,
                    (_, arguments) in datahub.PROTOTYPES.items()}
        told = self.of("function")
        self.assertEqual(declared, {name: count for name, count in told.items()
                                    if name not in NOT_CALLED})
        self.assertLessEqual(NOT_CALLED, set(told))


if __name__ == "__main__":
    python_common.main()
