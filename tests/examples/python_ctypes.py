#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/python-ctypes: a reliable consumer and a producer over the C API, by
themselves and with each other. Needs NumPy and a library that Python can
load."""
import collections
import signal
import sys
import zlib

import python_common
from python_common import CTYPES, MetaLocation

python_common.need_numpy()
python_common.need_plain_library()
sys.path.insert(0, str(CTYPES))
import datahub  # noqa: E402

LIB = datahub.load()


def payload(lease):
    return b"".join(array.tobytes() for array in lease.arrays())


class Programs(MetaLocation):
    def consume(self, *arguments):
        return self.python(CTYPES / "consume.py", *arguments)

    def produce(self, *arguments):
        return self.python(CTYPES / "produce.py", *arguments)

    def test_every_frame_arrives_in_order(self):
        consumer = self.consume("test", "--wait", "--hold", "4")
        producer = self.produce("test", "--frames", "500", "--fast",
                                "--size", "64x48", "--wait-for-consumers", "1")
        self.assertEqual(producer.finish(), 0, producer.errors)
        self.assertEqual(consumer.finish(), 0, consumer.errors)
        self.assertEqual(len(producer.buffers()), 500)
        self.assertEqual(consumer.buffers(), producer.buffers())
        self.assertRegex(consumer.lines[-1], "^# received 500 lost 0 ")
        self.nothing_left()

    def test_over_its_quota_it_copies_and_misses_nothing(self):
        consumer = self.consume("test", "--wait", "--hold", "8",
                                "--max-pinned", "2")
        producer = self.produce("test", "--frames", "100", "--fast",
                                "--size", "64x48", "--wait-for-consumers", "1")
        self.assertEqual(producer.finish(), 0, producer.errors)
        self.assertEqual(consumer.finish(), 0, consumer.errors)
        copied = [line for line in consumer.buffers() if "copied" in line]
        self.assertEqual(len(copied), 98)
        self.assertRegex(consumer.lines[-1], " quota 2 held 2$")
        self.assertEqual([line.replace(" copied", "")
                          for line in consumer.buffers()], producer.buffers())

    def test_the_observer_reads_the_same_frames(self):
        reader = self.reader("test", "--follow", "--timeout", "50", "--start",
                             "oldest", "--count", "20", "--verify")
        producer = self.produce("test", "--rate", "50", "--size", "64x48",
                                "--checksum", "blake2b", "--slots", "128")
        self.assertEqual(reader.finish(), 0, reader.errors)
        producer.process.send_signal(signal.SIGINT)
        self.assertEqual(producer.finish(), 0, producer.errors)
        self.assertEqual(reader.buffers(), producer.buffers()[:20])
        self.nothing_left()

    def test_the_death_of_the_producer_is_told(self):
        consumer = self.consume("test", "--wait")
        producer = self.produce("test", "--rate", "100", "--size", "64x48",
                                "--wait-for-consumers", "1")
        consumer.expect("^buffer")
        producer.process.kill()
        producer.finish()
        self.assertEqual(consumer.finish(), 3, consumer.errors)
        self.assertIn("# producer-lost", consumer.lines)
        told = producer.buffers()
        self.assertEqual(consumer.buffers()[:len(told)], told)

    def test_a_signal_ends_a_wait_for_ever(self):
        producer = self.producer()
        for number in (signal.SIGINT, signal.SIGTERM):
            consumer = self.consume("test")
            consumer.expect("^# block")
            producer.tell("buffers 1 64 1")
            consumer.expect("^buffer")
            consumer.process.send_signal(number)
            self.assertEqual(consumer.finish(), 0, consumer.errors)
            self.assertIn("# interrupted", consumer.lines)

    def test_a_signal_ends_a_producer_that_waits_for_consumers(self):
        producer = self.produce("test", "--wait-for-consumers", "1")
        producer.expect("^# ready")
        producer.process.send_signal(signal.SIGTERM)
        self.assertEqual(producer.finish(), 0, producer.errors)
        self.assertIn("# interrupted", producer.lines)
        self.nothing_left()

    def test_failures_are_one_sentence(self):
        consumer = self.consume("nobody")
        self.assertEqual(consumer.finish(), 1)
        self.assertRegex(consumer.errors, r"^nobody: .+\.?\n$")
        self.producer("taken")
        producer = self.produce("taken")
        self.assertEqual(producer.finish(), 1)
        self.assertRegex(producer.errors, r"^taken: .+\n$")

    def test_a_consumer_that_waits_for_a_block_ends_too(self):
        consumer = self.consume("test", "--wait", "--name", "early")
        consumer.process.send_signal(signal.SIGTERM)
        self.assertIn(consumer.finish(), (0, -signal.SIGTERM))


class Leases(MetaLocation):
    def attach(self, **options):
        consumer = datahub.Consumer(LIB, "test", **options)
        self.addCleanup(consumer.close)
        return consumer

    def test_what_is_held_stays_while_the_producer_goes_on(self):
        producer = self.producer(slots=32, ring=8)
        consumer = self.attach()
        leases = []
        for _ in range(4):  # two slots each: the whole quota
            producer.tell("buffers 1 3000 2")
            leases.append(consumer.read(10))
        first = [payload(lease) for lease in leases]
        self.assertFalse(any(lease.view.must_copy for lease in leases))
        self.assertEqual(consumer.stats().pinned, 8)
        for _ in range(100):  # many times round the ring
            producer.tell("buffers 1 3000 1")
            consumer.read(10).end()
        self.assertEqual([payload(lease) for lease in leases], first)
        told = [line.split()[4] for line in producer.buffers()[:4]]
        self.assertEqual([f"crc={zlib.crc32(data):08x}" for data in first],
                         told)
        for lease in leases:
            lease.end()
        self.assertEqual(consumer.stats().pinned, 0)
        self.assertEqual(consumer.stats().lost, 0)

    def test_a_lease_outlives_the_consumer_and_the_producer(self):
        producer = self.producer()
        consumer = datahub.Consumer(LIB, "test")
        producer.tell("buffers 1 3000 1")
        lease = consumer.read(10)
        before = payload(lease)
        producer.die()
        consumer.close()
        self.assertEqual(payload(lease), before)
        lease.end()

    def test_arrays_are_the_shared_memory_and_read_only(self):
        producer = self.producer()
        consumer = self.attach()
        producer.tell("buffers 1 3000 2")
        with consumer.read(10) as lease:
            for array, memory in zip(lease.arrays(), lease.view.memories):
                self.assertEqual(array.ctypes.data, memory.data)
                self.assertFalse(array.flags.owndata)
                with self.assertRaises(ValueError):
                    array[0] = 1

    def test_a_reliable_consumer_holds_the_producer_back(self):
        with datahub.Producer(LIB, "test", 256, slots=8, ring_size=4,
                              max_bytes=8 * 4096) as producer:
            with datahub.Consumer(LIB, "test") as consumer:
                sent = collections.deque()
                with self.assertRaises(datahub.Outcome) as caught:
                    for number in range(1000):
                        with producer.slot(256, 0) as (array, loan):
                            array[:] = number % 256
                            producer.commit(datahub.BUFFER, loan=loan,
                                            size=256, timeout=0)
                        sent.append(number)
                self.assertEqual(caught.exception.code, datahub.TIMEOUT)
                self.assertLess(len(sent), 20)
                for number in sent:
                    with consumer.read(10) as lease:
                        self.assertEqual(payload(lease),
                                         bytes([number % 256]) * 256)
                with self.assertRaises(datahub.Outcome) as caught:
                    consumer.read(0)
                self.assertEqual(caught.exception.code, datahub.TIMEOUT)

    def test_outcomes_and_failures_have_their_codes(self):
        producer = self.producer()
        consumer = self.attach()
        consumer.interrupt()
        with self.assertRaises(datahub.Outcome) as caught:
            consumer.read()
        self.assertEqual(caught.exception.code, datahub.INTERRUPTED)
        self.assertEqual(str(caught.exception), "interrupted")
        LIB.consumer_set_interrupted(consumer.pointer, False)
        producer.tell("close")
        with self.assertRaises(datahub.Outcome) as caught:
            consumer.read(30)
        self.assertEqual(caught.exception.code, datahub.CLOSED)
        with self.assertRaises(datahub.Failure) as caught:
            datahub.Consumer(LIB, "test")
        self.assertEqual(caught.exception.code, datahub.ERROR_NOT_FOUND)
        self.assertTrue(str(caught.exception))

    def test_another_secret_is_refused_by_both_readers(self):
        secret = bytes(range(32))
        path = f"{self.home}/secret"
        with datahub.Producer(LIB, "test", 256, secret=secret) as producer:
            producer.commit(datahub.EOS)
            for told, is_right in ((secret, True), (bytes(32), False)):
                with open(path, "wb") as file:
                    file.write(told)
                reader = self.reader("test", "--secret-file", path, "--start",
                                     "oldest")
                self.assertEqual(reader.finish(), 0 if is_right else 1)
                if is_right:
                    datahub.Consumer(LIB, "test", secret=told).close()
                    continue
                with self.assertRaises(datahub.Failure) as caught:
                    datahub.Consumer(LIB, "test", secret=told)
                self.assertEqual(caught.exception.code,
                                 datahub.VALUES["DATAHUB_ERROR_DENIED"])

    def test_the_context_of_a_lease_is_its_caps(self):
        producer = self.producer()
        consumer = self.attach()
        for number in (1, 2):
            producer.tell(f"caps application/x-test, n=(int){number}")
            producer.tell("buffers 1 64 1")
        found = []
        for _ in range(4):
            with consumer.read(10) as lease:
                if lease.view.type == datahub.BUFFER:
                    found.append(lease.context(datahub.CONTEXT_CAPS))
                    self.assertIsNone(lease.context(0))
                else:
                    self.assertTrue(lease.meta().startswith(b"application/"))
        self.assertEqual(found, [b"application/x-test, n=(int)1\0",
                                 b"application/x-test, n=(int)2\0"])


if __name__ == "__main__":
    python_common.main()
