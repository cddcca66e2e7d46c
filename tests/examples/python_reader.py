#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/python-reader: it reads what was committed and nothing else, tells
what it lost and why it ended, and is never noticed."""
import hashlib
import os
import pathlib
import signal
import time

import python_common
from python_common import READER, MetaLocation

TEST_CAPS = "application/x-test, number=(int)7"


class Delivery(MetaLocation):
    def test_reads_exactly_what_was_committed(self):
        producer = self.producer(slots=600, ring=256)
        producer.tell("caps " + TEST_CAPS)
        reader = self.reader("test", "--start", "oldest")
        reader.expect(f"^# caps {TEST_CAPS.replace('(', '.').replace(')', '.')}")
        for command in ("buffers 40 4096 1", "buffers 20 1000 3",
                        "buffers 10 64 4", "buffers 10 0 0"):
            producer.tell(command)
        producer.tell("eos")
        self.assertEqual(reader.finish(), 0, reader.errors)
        self.assertEqual(len(producer.buffers()), 80)
        self.assertEqual(reader.buffers(), producer.buffers())
        self.assertEqual(reader.lost(), 0)

    def test_follows_a_block_that_grows(self):
        producer = self.producer(slots=64, ring=16)
        reader = self.reader("test", "--start", "oldest")
        reader.expect("^# block")
        for size in (4096, 5000, 70000, 300000, 100):
            producer.tell(f"buffers 2 {size} 1")
            for line in producer.buffers()[-2:]:
                reader.expect(f"^{line}$")
        pools = [name for name in os.listdir(self.shm) if ".d" in name]
        self.assertGreater(len(pools), 1)
        producer.tell("eos")
        self.assertEqual(reader.finish(), 0, reader.errors)
        self.assertEqual(reader.buffers(), producer.buffers())

    def test_starts_where_it_is_told(self):
        producer = self.producer(slots=128, ring=64)
        producer.tell("buffers 25 64 1")
        lines = producer.buffers()
        for start, index in (("oldest", 0), ("latest", 24), ("keyframe", 20)):
            reader = self.reader("test", "--start", start, "--count", "1")
            self.assertEqual(reader.finish(), 0, reader.errors)
            self.assertEqual(reader.buffers(), [lines[index]], start)

    def test_what_it_reads_of_a_racing_producer_is_never_torn(self):
        producer = self.producer(size=16384, slots=8, ring=4)
        producer.tell("buffers 1 16384 1")
        reader = self.reader("test", "--start", "oldest", "--poll", "0.0001")
        reader.expect("^buffer ")
        producer.tell("buffers 3000 16384 2")
        producer.tell("eos")
        self.assertEqual(reader.finish(), 0, reader.errors)
        self.assertLessEqual(set(reader.buffers()), set(producer.buffers()))
        self.assertEqual(len(reader.buffers()) + reader.lost(), 3001)

    def test_tells_exactly_how_much_it_lost_when_lapped(self):
        producer = self.producer(slots=16, ring=8)
        producer.tell("buffers 1 64 1")
        reader = self.reader("test", "--start", "oldest")
        reader.expect("^buffer ")
        self.stop(reader)
        producer.tell("buffers 1000 64 1")
        reader.process.send_signal(signal.SIGCONT)
        producer.tell("eos")
        self.assertEqual(reader.finish(), 0, reader.errors)
        self.assertGreater(reader.lost(), 900)
        self.assertEqual(len(reader.buffers()) + reader.lost(), 1001)
        self.assertEqual(reader.buffers()[-1], producer.buffers()[-1])

    def test_steps_over_what_was_given_up(self):
        producer = self.producer(slots=12, ring=16)
        producer.tell("loans 7")
        producer.tell("buffers 12 64 1")
        producer.tell("eos")
        reader = self.reader("test", "--start", "oldest")
        self.assertEqual(reader.finish(), 0, reader.errors)
        made = producer.buffers()
        # five slots: both key frames, and the newest delta units
        self.assertEqual(reader.buffers(),
                         [made[0], made[8], made[9], made[10], made[11]])
        self.assertEqual(reader.lost(), 7)

    def test_tells_a_flush_and_skips_what_it_ended(self):
        import datablock
        producer = self.producer()
        producer.tell("buffers 4 64 1")
        block = datablock.Block.attach("test")
        reader = datablock.Reader(block, "oldest")
        self.assertEqual(reader.read().fixed.ordinal, 0)
        producer.tell("flush")
        self.assertIsNone(reader.read())
        producer.tell("buffers 1 64 1")
        record = reader.read()
        self.assertTrue(record.flushed)
        self.assertEqual(record.fixed.ordinal, 4)
        block.close()

    def test_shows_clocks_counters_and_errors_of_the_producer(self):
        import datablock
        import telemetry
        producer = self.producer()
        producer.tell("copied 3")
        for command in ("error 65 one", "error 66 two", "error 65 one"):
            producer.tell(command)
        block = datablock.Block.attach("test")
        self.assertEqual(telemetry.counters(block)["copied"], 3)
        limit, counted = telemetry.share(block)
        self.assertGreaterEqual(limit, 8)
        self.assertEqual(counted, 8)
        found = telemetry.errors(block)
        self.assertEqual([(e.code, e.text, e.count) for e in found],
                         [(65, "one", 2), (66, "two", 1)])
        self.assertLess(found[0].first, found[0].last)
        offset = telemetry.clock_offset(block, time.monotonic_ns(),
                                        time.time_ns())
        self.assertLess(abs(offset), 100_000_000)
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text()
        self.assertEqual(telemetry.clock(block).boot_id.hex(),
                         boot.strip().replace("-", ""))
        block.close()

    def change_a_byte(self, channel):
        """In the second memory of the oldest record."""
        import datablock
        block = datablock.Block.attach(channel)
        raw = block.raw_record(block.ring_word(0) & 0xffff)
        gen, slot, offset, _, _ = datablock.MEMORY.unpack_from(
            raw, datablock.MEMORY_AT + datablock.MEMORY.size)
        at = 4096 + slot * block.pools[gen].stride + offset
        path = f"{self.shm}/datahub-{os.getuid()}-{block.uuid.hex()}.d{gen}"
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))
        block.close()

    def test_check_sums_hold_and_a_changed_byte_is_refused(self):
        for kind in (1, 2):
            name = f"sum{kind}"
            producer = self.producer(name, checksum=kind)
            producer.tell("buffers 2 3000 2")
            arguments = (name, "--start", "oldest", "--count", "2", "--verify")
            reader = self.reader(*arguments)
            self.assertEqual(reader.finish(), 0, reader.errors)
            self.change_a_byte(name)
            reader = self.reader(*arguments)
            self.assertEqual(reader.finish(), 1)
            self.assertIn("does not match its check sum", reader.errors)


class Life(MetaLocation):
    def test_the_end_of_a_closed_block_is_told(self):
        producer = self.producer()
        reader = self.reader("test", "--start", "oldest")
        reader.expect("^# block")
        producer.tell("buffers 5 64 1")
        producer.tell("close")
        self.assertEqual(reader.finish(), 0, reader.errors)
        reader_end = reader.lines[-1]
        self.assertRegex(reader_end, "^# closed at .* read 5 buffers, lost 0")
        self.nothing_left()

    def test_the_death_of_the_producer_is_told_after_its_last_buffer(self):
        producer = self.producer()
        reader = self.reader("test", "--start", "oldest")
        reader.expect("^# block")
        producer.tell("buffers 6 64 1")
        producer.die()
        self.assertEqual(reader.finish(), 3, reader.errors)
        self.assertRegex(reader.lines[-1], "^# died at .* read 6 buffers")
        self.assertEqual(reader.buffers(), producer.buffers())

    def test_a_pool_that_went_with_the_block_is_told(self):
        producer = self.producer()
        reader = self.reader("test", "--start", "oldest")
        reader.expect("^# block")
        producer.tell("buffers 2 64 1")
        for line in producer.buffers():
            reader.expect(f"^{line}$")
        self.stop(reader)
        producer.tell("buffers 2 200000 1")
        producer.tell("close")
        self.nothing_left()
        reader.process.send_signal(signal.SIGCONT)
        self.assertEqual(reader.finish(), 0, reader.errors)
        self.assertRegex(reader.lines[-2], "^# the rest cannot be read .* Pool")
        self.assertRegex(reader.lines[-1], "^# closed at 2: read 2 buffers")

    def test_what_a_dead_producer_left_is_read_only_when_asked_for(self):
        producer = self.producer()
        producer.tell("buffers 6 64 1")
        producer.die()
        reader = self.reader("test", "--start", "oldest")
        self.assertEqual(reader.finish(), 1)
        self.assertIn("is dead", reader.errors)
        reader = self.reader("test", "--post-mortem")
        self.assertEqual(reader.finish(), 3, reader.errors)
        self.assertEqual(reader.buffers(), producer.buffers())

    def test_goes_on_with_the_successor(self):
        reader = self.reader("test", "--start", "oldest", "--follow",
                             "--timeout", "50", "--count", "9")
        expected = []
        for end in ("die", "close", None):
            producer = self.producer()
            producer.tell("buffers 3 64 1")
            for line in producer.buffers():
                reader.expect(f"^{line}$")
            expected += producer.buffers()
            if end == "die":
                producer.die()
                reader.expect("^# died")
            elif end:
                producer.tell(end)
                reader.expect("^# closed")
        self.assertEqual(reader.finish(), 0, reader.errors)
        self.assertEqual(reader.buffers(), expected)

    def test_waits_no_longer_than_it_is_told(self):
        self.producer()
        reader = self.reader("test", "--timeout", "0.3")
        self.assertEqual(reader.finish(), 4, reader.errors)
        reader = self.reader("nobody", "--follow", "--timeout", "0.3")
        self.assertEqual(reader.finish(), 4, reader.errors)

    def test_says_that_there_is_no_block(self):
        reader = self.reader("nobody")
        self.assertEqual(reader.finish(), 1)
        self.assertRegex(reader.errors, "^nobody: There is no /.*-nobody")
        reader = self.reader("../nobody")
        self.assertEqual(reader.finish(), 1)
        self.assertIn("not the name of a channel", reader.errors)

    def test_ends_at_ctrl_c(self):
        self.producer()
        reader = self.reader("test")
        reader.expect("^# block")
        reader.process.send_signal(signal.SIGINT)
        self.assertEqual(reader.finish(), 130)
        self.assertEqual(reader.errors, "")


class Observer(MetaLocation):
    def digest(self):
        found = {}
        for path in sorted(pathlib.Path(self.shm).iterdir()):
            found[path.name] = (hashlib.sha256(path.read_bytes()).hexdigest(),
                                path.stat().st_mtime_ns)
        return found

    def test_writes_nothing(self):
        producer = self.producer()
        producer.tell("caps " + TEST_CAPS)
        producer.tell("buffers 3 64 1")
        before = self.digest()
        reader = self.reader("test", "--start", "oldest", "--count", "3")
        self.assertEqual(reader.finish(), 0, reader.errors)
        self.assertEqual(self.digest(), before)

    def test_help_names_every_option(self):
        reader = self.reader("--help")
        self.assertEqual(reader.finish(), 0)
        text = "\n".join(reader.lines)
        for option in ("--start", "--png", "--follow", "--post-mortem"):
            self.assertIn(option, text)
        self.assertIn("exit status", text)


if __name__ == "__main__":
    import sys
    sys.path.insert(0, str(READER))
    python_common.main()
