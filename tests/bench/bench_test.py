#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The driver of the benchmarks and its report: bench_test.py BUILD_FOLDER.

It asserts no figure. A stored result must appear in the report with each of its rows
at the right place, and a small run must measure every transport that is there."""
import copy
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
BUILD = None
SVG = "{http://www.w3.org/2000/svg}"
STORED = HERE / "stored.json"
# The pictures that a row with figures must be in.
FLAT, PACED = {"throughput-by-size", "throughput-by-consumers"}, {"latency"}
PEERS = {"shm", "tcp", "unixfd", "iceoryx"}
ELSEWHERE = {"message": ({"message-throughput"}, {"message-latency"}),
             "rate": ({"scaling"}, {"scaling"})}


def run(*command):
    return subprocess.run([str(part) for part in command], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)


def key_of(row):
    return "|".join(str(row[name]) for name in (
        "kind", "size", "consumers", "memory", "touch", "rate", "transport"))


def pictures_in(folder):
    """{NAME: its elements}"""
    return {path.stem: list(ElementTree.parse(path).iter())
            for path in pathlib.Path(folder).glob("*.svg")}


def shown(elements):
    """{ROW: [(value, x, y)]} of the points of a picture."""
    found = {}
    for one in elements:
        if one.get("data-row"):
            place = (float(one.get("cx", "nan")), float(one.get("cy", "nan")))
            found.setdefault(one.get("data-row"), []).append(
                (float(one.get("data-value")), *place))
    return found


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="datahub-test-")
        cls.results = json.loads(STORED.read_text())
        done = run(sys.executable, HERE / "report.py", STORED, cls.folder)
        assert done.returncode == 0, done.stderr
        cls.pictures = {name: shown(elements) for name, elements
                        in pictures_in(cls.folder).items()}
        cls.page = (pathlib.Path(cls.folder) / "index.html").read_text()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def rows(self, **wanted):
        found = [row for row in self.results["rows"] if "values" in row
                 and all(row[name] == value for name, value in wanted.items())]
        self.assertTrue(found, f"the stored result has rows with {wanted}")
        return found

    def values_shown(self, row, names):
        return [value for name in names
                for value, _, _ in self.pictures.get(name, {}).get(key_of(row), [])]

    def test_each_flat_ratio_is_a_point(self):
        for row in self.rows(kind="gstreamer", rate=0):
            if "per_s" in row["ratios"]:
                self.assertIn(row["ratios"]["per_s"][0],
                              self.values_shown(row, FLAT), key_of(row))

    def test_each_latency_is_a_point(self):
        for row in self.rows(kind="gstreamer"):
            for name in ("p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"):
                if row["rate"]:
                    self.assertIn(row["values"][name],
                                  self.values_shown(row, PACED), key_of(row))

    def test_each_message_is_a_point(self):
        for row in self.rows():
            flat, paced = ELSEWHERE.get(row["kind"], (None, None))
            if flat:
                self.assertTrue(
                    self.values_shown(row, paced if row["rate"] else flat),
                    key_of(row))

    def test_each_processor_time_and_memory_is_a_point(self):
        paced = [row for row in self.rows(kind="gstreamer") if row["rate"]]
        for row in paced:
            peers = [one for one in paced if one["size"] == row["size"]
                     and one["rate"] == row["rate"]]
            if all(one["consumers"] == 1 for one in peers):
                continue
            self.assertIn(row["ratios"]["cpu_us"][0],
                          self.values_shown(row, {"cpu-by-consumers"}))
        for row in self.rows(kind="gstreamer", rate=0, memory="pool",
                             touch="header"):
            self.assertIn(row["values"]["pss_mib"],
                          self.values_shown(row, {"memory"}))

    def test_each_call_and_each_step_of_scaling_is_shown(self):
        calls = [row for row in self.results["calls"] if "failed" not in row]
        self.assertTrue(calls)
        bars = [value for points in self.pictures["system-calls"].values()
                for value, _, _ in points]
        for row in calls:
            self.assertIn(row["producer"], bars)
            self.assertIn(row["consumer"], bars)
        self.assertTrue(self.results["programs"]["scale"])
        for row in self.results["programs"]["scale"]:
            for name in ("write", "read"):
                points = self.pictures["scaling"][f"{row['bench']}|{row['x']}|{name}"]
                self.assertEqual(points[0][0], row[f"{name}_ns"])

    def test_a_point_is_where_its_value_belongs(self):
        """A higher value is higher in a panel of ratios, in logarithmic measure."""
        ratios = {key_of(row): row["ratios"]["per_s"][0] for row in
                  self.rows(kind="gstreamer", rate=0, memory="pool",
                            touch="header", consumers=1)}
        panel = [point for key, points
                 in self.pictures["throughput-by-size"].items()
                 if key in ratios for point in points]
        panel.sort()
        (low, _, low_y), (high, _, high_y) = panel[0], panel[-1]
        self.assertGreater(high, low)
        slope = (high_y - low_y) / math.log(high / low)
        self.assertLess(slope, 0)
        for value, _, y in panel:
            self.assertAlmostEqual(low_y + slope * math.log(value / low), y, delta=0.3)

    def test_points_and_bars_are_inside_their_picture(self):
        for name, elements in pictures_in(self.folder).items():
            width, height = map(float, elements[0].get("viewBox").split()[2:])
            for one in elements:
                if one.tag == SVG + "circle":
                    self.assertTrue(0 < float(one.get("cx")) < width, name)
                    self.assertTrue(0 < float(one.get("cy")) < height, name)
                if one.tag == SVG + "rect" and one.get("x"):
                    end = float(one.get("x")) + float(one.get("width"))
                    self.assertTrue(end <= width, name)

    def test_the_documents_show_this_result(self):
        for name in ("throughput-by-size.svg", "latency.svg"):
            shown = HERE.parents[1] / "docs" / "pictures" / name
            made = pathlib.Path(self.folder) / name
            self.assertEqual(shown.read_text(), made.read_text(),
                             f"copy {name} of report.py to docs/pictures")

    def test_page_has_all_pictures_themes_and_rows(self):
        for name in self.pictures:
            self.assertIn(f'id="{name}"', self.page)
        for goal in range(1, 10):
            self.assertIn(f"<td>P{goal}</td>", self.page)
        self.assertIn("prefers-color-scheme: dark", self.page)
        colours = set(re.findall(r"svg \.c-([\w-]+)", self.page))
        for row in self.rows():
            self.assertIn(row["transport"], colours)
        table = (pathlib.Path(self.folder) / "table.txt").read_text()
        for row in self.rows():
            self.assertRegex(table, rf"(?m)^  {row['transport']} .* {row['turns']}\b")


class Compare(unittest.TestCase):
    def compare(self, change):
        with tempfile.TemporaryDirectory(prefix="datahub-test-") as folder:
            results = json.loads(STORED.read_text())
            changed = copy.deepcopy(results)
            change(changed)
            new = pathlib.Path(folder) / "new.json"
            new.write_text(json.dumps(changed))
            done = run(sys.executable, HERE / "compare", STORED, new)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @staticmethod
    def row(results):
        return next(row for row in results["rows"] if row["transport"] == "datahub"
                    and "per_s" in row.get("ratios", {}) and not row["rate"])

    def test_the_same_result_has_no_difference(self):
        out = self.compare(lambda results: None)
        self.assertIn("Worse: none", out)
        self.assertIn("Better: none", out)

    def test_a_lower_ratio_is_reported_as_worse(self):
        def halve(results):
            ratios = self.row(results)["ratios"]["per_s"]
            ratios[:] = [ratios[1] * 0.5] * 3
        self.assertIn("Worse: 1\n", self.compare(halve))

    def test_absolute_figures_are_not_compared(self):
        def slow_down(results):
            for row in results["rows"]:
                for name in row.get("values", {}):
                    row["values"][name] *= 3
        self.assertIn("Worse: none", self.compare(slow_down))

    def test_a_loss_is_reported(self):
        def lose(results):
            self.row(results)["lost"] = 7
        self.assertIn("7 lost", self.compare(lose))


class Driver(unittest.TestCase):
    def test_a_small_run_measures_and_reports(self):
        with tempfile.TemporaryDirectory(prefix="datahub-test-") as folder:
            scratch = tempfile.mkdtemp(prefix="datahub-test-", dir="/dev/shm")
            done = run(HERE / "run", "--smoke", "--no-build", "--build", BUILD,
                       "--out", folder, "--scratch", scratch)
            os.rmdir(scratch)  # fails if anything stays behind
            self.assertEqual(done.returncode, 0, done.stderr)
            results = json.loads((pathlib.Path(folder) / "results.json").read_text())
            pictures = pictures_in(folder)
        self.assertEqual(results["schema"], "datahub-bench/1")
        for row in results["rows"]:
            # a peer may fail on a busy machine, and its row has the reason
            self.assertTrue("values" in row or row["transport"] in PEERS, row)
            if row["transport"] in ("datahub", "datahub-default", "core"):
                self.assertEqual(0, row["lost"] + row["torn"] + row["reordered"], row)
                self.assertGreater(row["values"]["per_s"], 0)
            if row["transport"] == "datahub":
                self.assertTrue(row["same_memory"], row)
        found = {row["transport"] for row in results["rows"]}
        self.assertLessEqual({"queue", "datahub", "datahub-default", "core", "zmq",
                              "floor"}, found)
        self.assertEqual(found | set(results["skipped"]),
                         {"queue", "datahub", "datahub-default", "shm", "unixfd",
                          "tcp", "core", "zmq", "iceoryx", "floor"})
        self.assertLessEqual({"latency", "message-throughput"}, set(pictures))


if __name__ == "__main__":
    BUILD = sys.argv.pop(1)
    unittest.main()
