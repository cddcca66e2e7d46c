#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/python-reader refuses blocks that are damaged, of another kind or
hostile, each with a sentence that says why."""
import hashlib
import os
import struct
import sys

import python_common
from python_common import READER, MetaLocation

sys.path.insert(0, str(READER))
import datablock  # noqa: E402

HUGE = 2**63 + 11
IDENTITY_FIELDS = [  # field, offset, format, value, what is said
    ("magic", 0x000, "<Q", 1, "no DataBlock's|not a DataBlock's"),
    ("endian", 0x008, "<I", 0x04030201, "other byte order"),
    ("major", 0x00c, "<H", 9, "version 9"),
    ("header_size", 0x010, "<I", 64, "other sizes"),
    ("feat_incompat", 0x018, "<Q", 4, "features"),
    ("uuid", 0x030, "16s", bytes(16), "different blocks"),
    ("ctl_size", 0x048, "<Q", HUGE, "other sizes"),
    ("con_size", 0x050, "<Q", 1, "other sizes"),
    ("n_recs", 0x064, "<I", 0, "contradict"),
    ("n_recs", 0x064, "<I", 65535, "contradict"),
    ("ring_size", 0x070, "<I", 3, "contradict"),
    ("ring_size", 0x070, "<I", 1 << 30, "another size"),
    ("rec_stride", 0x074, "<I", 8, "contradict"),
    ("rec_stride", 0x074, "<I", 1 << 31, "another size"),
    ("max_rows", 0x078, "<I", 257, "contradict"),
    ("row_stride", 0x07c, "<I", 1 << 31, "contradict"),
    ("pin_words", 0x080, "<I", 0, "contradict"),
    ("n_sections", 0x088, "<I", 0xffffffff, "outside"),
    ("n_sections", 0x088, "<I", 2, "missing"),
    ("n_sections", 0x088, "<I", 4, "missing"),
    ("section_off", 0x08c, "<I", 0xfffffff0, "outside"),
    ("con_rows_off", 0x0c4, "<I", 0xffffff00, "contradict"),
    ("zone_size", 0x0d0, "<Q", 1 << 40, "zones are outside"),
    ("shared_zone_off", 0x0d8, "<Q", HUGE, "zones are outside"),
    ("layout_hash", 0x0f0, "<Q", 1, "another memory layout"),
]
RECORD_FIELDS = [
    ("seq", 0, "<Q", 77, "record of 77"),
    ("type 0", 76, "<I", 0, "of type 0"),
    ("type 10", 76, "<I", 10, "of type 10"),
    ("n_mem", 80, "<I", 5, "5 memories"),
    ("meta_size", 84, "<I", 193, "193 bytes inline"),
    ("meta_gen", 88, "<I", 99, "Pool 99 is gone"),
    ("ctx", 104 + 2, "<H", 0xfffe, "points at record 65534"),
    ("ctx itself", 112 + 8, "<Q", 5, "to the record of"),
    ("gen", 184, "<I", 50, "Pool 50 is gone"),
    ("slot", 188, "<I", 0xffffffff, "outside of its pool"),
    ("offset", 192, "<Q", HUGE, "outside of its pool"),
    ("size", 200, "<Q", 2**64 - 1, "outside of its pool"),
]


class Damage(MetaLocation):
    """Each test changes a live block of its own, byte by byte."""

    def setUp(self):
        super().setUp()
        self.made = self.producer()
        self.made.tell("caps application/x-test")
        self.made.tell("buffers 2 3000 1")
        self.block = datablock.Block.attach("test")
        self.path = (f"{self.shm}/datahub-{os.getuid()}-"
                     f"{self.block.uuid.hex()}")
        raw = self.block.raw_record(self.block.ring_word(1) & 0xffff)
        self.gen, = struct.unpack_from("<I", raw, datablock.MEMORY_AT)
        self.pool = f".d{self.gen}"  # where the payloads are
        self.entry = f"{self.shm}/datahub-{os.getuid()}-test"

    def tearDown(self):
        self.block.close()
        super().tearDown()

    def read_all(self):
        block = datablock.Block.attach("test")
        try:
            reader = datablock.Reader(block, "oldest")
            reader.newest_caps()
            return [reader.read() for _ in range(3)]
        finally:
            block.close()

    def refused(self, sentence, what):
        with self.assertRaisesRegex((datablock.Refused, datablock.NotThere),
                                    sentence, msg=what):
            self.read_all()

    def write(self, suffix, offset, data):
        """Writes, and gives back what was there."""
        with open(self.path + suffix, "r+b", buffering=0) as file:
            old = os.pread(file.fileno(), len(data), offset)
            os.pwrite(file.fileno(), data, offset)
        return old

    def changed(self, suffix, offset, data, sentence, what):
        old = self.write(suffix, offset, data)
        self.refused(sentence, what)
        self.write(suffix, offset, old)

    def section(self, kind):
        return self.block._sections[kind]

    def record_at(self, sequence):
        return (self.section(datablock.RECORDS)
                + (self.block.ring_word(sequence) & 0xffff)
                * self.block.identity.rec_stride)

    def test_an_undamaged_block_is_read(self):
        types = [record.type_name for record in self.read_all()]
        self.assertEqual(types, ["caps", "buffer", "buffer"])

    def test_numbers_of_the_header(self):
        for name, offset, form, value, sentence in IDENTITY_FIELDS:
            with open(self.path + ".ctl", "rb") as file:
                raw = bytearray(file.read(0x100))
            old = bytes(raw)
            struct.pack_into(form, raw, offset, value)
            struct.pack_into("<Q", raw, 0xf8, datablock.fnv1a(raw[:0xf8]))
            self.write(".ctl", 0, bytes(raw))
            self.refused(sentence, f"{name} = {value}")
            self.write(".ctl", 0, old)
        self.read_all()

    def test_a_header_without_its_check_sum(self):
        self.changed(".ctl", 0xb0, b"\x55", "check sum", "created_ns")

    def test_features_that_let_observe_do(self):
        with open(self.path + ".ctl", "rb") as file:
            raw = bytearray(file.read(0x100))
        struct.pack_into("<QQ", raw, 0x20, 1, 1)
        struct.pack_into("<Q", raw, 0xf8, datablock.fnv1a(raw[:0xf8]))
        self.write(".ctl", 0, bytes(raw))
        self.assertEqual(len(self.read_all()), 3)

    def test_another_secret_than_the_one_given(self):
        secret = bytes(range(32))
        tag = hashlib.blake2b(self.block.uuid, key=secret, digest_size=32)
        with open(self.path + ".ctl", "rb") as file:
            raw = bytearray(file.read(0x100))
        raw[0x90:0xb0] = tag.digest()
        struct.pack_into("<Q", raw, 0xf8, datablock.fnv1a(raw[:0xf8]))
        self.write(".ctl", 0, bytes(raw))
        path = f"{self.home}/secret"
        for written, status in ((secret, 0), (bytes(32), 1), (b"x", 1)):
            with open(path, "wb") as file:
                file.write(written)
            reader = self.reader("test", "--secret-file", path, "--start",
                                 "oldest", "--count", "1")
            self.assertEqual(reader.finish(), status, reader.errors)
            if status:
                self.assertIn("secret", reader.errors)
        self.assertEqual(len(self.read_all()), 3)

    def test_states_that_no_block_has(self):
        for state in (0, 1, 6, 0xffffffff):
            self.changed(".ctl", 0x10c, struct.pack("<I", state), "Its state",
                         state)

    def test_sections(self):
        table = self.block.identity.section_off
        for index in range(4):
            for offset, form, value, sentence in (
                    (8, "<Q", HUGE, "outside"), (8, "<Q", 0x401, "outside"),
                    (8, "<Q", 8, "outside"),
                    (16, "<Q", HUGE, "outside"), (24, "<I", 1, "outside"),
                    (28, "<I", 0, "outside"), (0, "<I", 99, "missing"),
                    (0, "<I", 1 if index else 2, "twice|outside")):
                self.changed(".ctl", table + 32 * index + offset,
                             struct.pack(form, value), sentence,
                             f"section {index} + {offset} = {value}")

    def test_records(self):
        at = self.record_at(1)
        for name, offset, form, value, sentence in RECORD_FIELDS:
            self.changed(".ctl", at + offset, struct.pack(form, value),
                         sentence, name)
        self.read_all()

    def test_a_word_that_points_at_no_record(self):
        ring = self.section(datablock.RING)
        self.changed(".ctl", ring, struct.pack("<H", 0xfff0), "points at record",
                     "ring")
        sticky = self.section(datablock.STICKY) + 8
        self.changed(".ctl", sticky, struct.pack("<H", 0xfff0),
                     "points at record", "sticky")

    def test_caps_that_are_no_text(self):
        at = self.record_at(0) + 320
        for data in (b"\0", b"\xff", b"x" * 192):
            self.changed(".ctl", at, data, "not text|not UTF-8|to the record of",
                         data)

    def test_the_pool_table(self):
        table = self.section(datablock.POOLS)
        at, = (table + 32 * i for i in range(16)
               if self.block.ctl.u32(table + 32 * i) == self.gen)
        for name, offset, form, value, sentence in (
                ("kind", 4, "<I", 7, "not the pool"),
                ("n_slots", 8, "<I", 0, "contradicts itself"),
                ("n_slots", 8, "<I", 1 << 30, "contradicts itself"),
                ("stride", 16, "<Q", HUGE, "contradicts itself"),
                ("size", 24, "<Q", 1, "contradicts itself"),
                ("gen", 0, "<I", 0, "is gone")):
            self.changed(".ctl", at + offset, struct.pack(form, value),
                         sentence, name)

    def test_the_first_page_of_a_pool(self):
        for offset in (0, 8, 24, 28, 32, 40):
            self.changed(self.pool, offset, b"\xee", "not the pool", offset)

    def test_heads_that_lie_do_not_hang_it(self):
        for head in (0, 4, 1 << 20, HUGE, 2**64 - 1):
            old = self.write(".ctl", 0x100, struct.pack("<Q", head))
            block = datablock.Block.attach("test")
            reader = datablock.Reader(block, "oldest")
            read = []
            try:
                read = [reader.read() for _ in range(100)]
            except datablock.Refused:
                pass  # sequences beyond 2**48 wrap onto other records
            self.assertLessEqual(len([r for r in read if r]), 3, head)
            block.close()
            self.write(".ctl", 0x100, old)

    def test_files_that_are_cut_short(self):
        for suffix, size, sentence in (
                (".ctl", 0, "fewer than"), (".ctl", 0x300, "fewer than"),
                (".ctl", 0x2000, "other sizes"), (".con", 100, "fewer than"),
                (".con", 4096, "other sizes"), ("", 100, "fewer than"),
                ("", 8192, "not the pool"), (".lck", 39, "fewer than")):
            self.tearDown()
            self.setUp()
            suffix = suffix or self.pool
            os.truncate(self.path + suffix, size)
            self.refused(sentence, f"{suffix} of {size} bytes")

    def test_entries_that_are_no_lock_file(self):
        os.rename(self.entry, self.entry + "x")
        os.symlink(self.path + ".lck", self.entry)
        self.refused("cannot be opened", "a link")
        os.unlink(self.entry)
        os.mkdir(self.entry)
        self.refused("not a regular file", "a folder")
        os.rmdir(self.entry)
        os.mkfifo(self.entry)
        self.refused("not a regular file", "a pipe")
        os.unlink(self.entry)
        with open(self.entry, "wb") as file:
            file.write(b"\7" * 40)
        self.refused("not lead to a DataBlock", "other bytes")
        os.unlink(self.entry)
        os.rename(self.entry + "x", self.entry)

    def test_blocks_that_are_kept_otherwise(self):
        old = self.write(".lck", 36, b"\1\0\0\0")
        self.refused("strict", "a strict block")
        self.write(".lck", 36, b"\2\0\0\0")
        self.refused("does not know", "an unknown flag")
        self.write(".lck", 36, old)

    def test_files_that_are_not_there(self):
        for suffix in (".ctl", ".con", self.pool):
            os.rename(self.path + suffix, self.path + "-away")
            self.refused("There is no|is gone", suffix)
            os.rename(self.path + "-away", self.path + suffix)
        self.read_all()

    def test_the_command_says_it_and_fails(self):
        self.write(".ctl", 0, b"\0")
        reader = self.reader("test")
        self.assertEqual(reader.finish(), 1)
        self.assertEqual(reader.errors,
                         "test: Its first bytes are not a DataBlock's.\n")


if __name__ == "__main__":
    python_common.main()
