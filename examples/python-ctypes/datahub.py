# SPDX-License-Identifier: LGPL-2.1-or-later
"""The C API of a DataBlock (datahub/core.h) through ctypes, and two thin classes
over it. Structures and prototypes are those of lib/datahub/types.h, consumer.h
and producer.h, field by field; a test compares each with what the C compiler
makes of the headers."""
import collections
import contextlib
import ctypes
import os
import signal
import threading
from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_int,
                    c_int32, c_int64, c_size_t, c_uint, c_uint8, c_uint16,
                    c_uint32, c_uint64, c_void_p)

NONE = 2**64 - 1
FOREVER = -1
MAX_MEMORIES = 4
N_CONTEXTS = 4
SECRET_SIZE = 32
CONSUMER_NAME_MAX = 40
FLAG_DELTA_UNIT, FLAG_LIVE, FLAG_DROPPABLE = (0x80000000, 0x40000000,
                                              0x20000000)

ENUMS = {
    "DATAHUB_": ("OK TIMEOUT INTERRUPTED CLOSED PRODUCER_LOST EVICTED DROPPED "
                 "OWNER_DIED", 0),
    "DATAHUB_ERROR_": ("NAME INVALID NOT_FOUND BUSY DENIED NO_SPACE VERSION "
                       "CORRUPT TOO_BIG FULL FORKED SYSTEM CHECKSUM", 64),
    "DATAHUB_RECORD_": ("BUFFER STREAM_START CAPS SEGMENT TAGS GAP EOS EVENT",
                        1),
    "DATAHUB_CONTEXT_": ("STREAM_START CAPS SEGMENT TAGS", 0),
    "DATAHUB_START_": ("LATEST OLDEST KEYFRAME", 0),
    "DATAHUB_CHECKSUM_": ("NONE CRC32C BLAKE2B", 0),
    "DATAHUB_HUGEPAGES_": ("ADVISE NEVER 2M 1G", 0),
    "DATAHUB_CHANGE_": ("JOINED LEFT DIED EVICTED", 1),
    "DATAHUB_CONSUMER_": ("FREE CLAIMED ACTIVE EVICTED LEAVING", 0),
    "DATAHUB_CLOCK_": ("SAME MAPPED OTHER_BOOT UNKNOWN IMPLAUSIBLE", 0),
}
VALUES = {prefix + word: first + i
          for prefix, (words, first) in ENUMS.items()
          for i, word in enumerate(words.split())}
VALUES.update(DATAHUB_WAIT_ALL=15, DATAHUB_REQUEST_KEYFRAME=1,
              DATAHUB_REQUEST_RECONFIGURE=2)
(OK, TIMEOUT, INTERRUPTED, CLOSED, PRODUCER_LOST, EVICTED, DROPPED) = range(7)
ERROR_NOT_FOUND = VALUES["DATAHUB_ERROR_NOT_FOUND"]
BUFFER, STREAM_START, CAPS, SEGMENT, TAGS, GAP, EOS, EVENT = range(1, 9)
CONTEXT_CAPS = VALUES["DATAHUB_CONTEXT_CAPS"]


class DatahubError(Structure):
    _fields_ = [("code", c_uint), ("sys_errno", c_int),
                ("message", c_char * 320)]


class DatahubConsumerInfo(Structure):
    _fields_ = [("row", c_uint32), ("id", c_uint64), ("state", c_uint),
                ("alive", c_bool), ("reliable", c_bool),
                ("notify", c_bool), ("stalled", c_bool), ("pid", c_int32),
                ("name", c_char * CONSUMER_NAME_MAX), ("received", c_uint64),
                ("lost", c_uint64), ("expired", c_uint64),
                ("cursor", c_uint64), ("pins", c_uint32), ("quota", c_uint32),
                ("heartbeat_ns", c_uint64), ("silent_ns", c_uint64),
                ("latency_sum_ns", c_uint64), ("latency_count", c_uint64),
                ("latency_max_ns", c_uint64), ("limits_sequence", c_uint64),
                ("over_quota", c_uint64), ("reserved", c_uint64 * 3)]


class DatahubConsumerChange(Structure):
    _fields_ = [("id", c_uint64), ("event", c_uint),
                ("name", c_char * CONSUMER_NAME_MAX),
                ("reserved", c_uint64 * 2)]


class DatahubIndices(Structure):
    _fields_ = [("write_index", c_uint64), ("commit_index", c_uint64),
                ("read_index", c_uint64), ("oldest_index", c_uint64),
                ("current_slot_id", c_uint64),
                ("active_consumer_count", c_uint32)]


class DatahubConsumerOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p),
                ("reliable", c_bool), ("start", c_uint),
                ("max_pinned", c_uint32), ("notify", c_bool),
                ("max_age_ns", c_int64),
                ("secret", POINTER(c_uint8)), ("ticket", POINTER(c_uint8)),
                ("timeout_ns", c_int64), ("watch", c_void_p),
                ("limits", c_char_p)]


class DatahubViewMemory(Structure):
    _fields_ = [("data", c_void_p), ("size", c_uint64)]


class DatahubView(Structure):
    _fields_ = [("sequence", c_uint64), ("ordinal", c_uint64),
                ("type", c_uint), ("flags", c_uint32), ("pts", c_uint64),
                ("dts", c_uint64), ("duration", c_uint64),
                ("offset", c_uint64), ("offset_end", c_uint64),
                ("instant_ns", c_int64), ("commit_ns", c_uint64),
                ("incarnation", c_uint64), ("lost", c_uint64),
                ("expired", c_uint64),
                ("discont", c_bool), ("flushed", c_bool),
                ("must_copy", c_bool), ("n_memories", c_uint32),
                ("memories", DatahubViewMemory * MAX_MEMORIES),
                ("meta", c_void_p), ("meta_size", c_uint32),
                ("context", c_uint64 * N_CONTEXTS), ("record", c_uint32),
                ("context_records", c_uint16 * N_CONTEXTS),
                ("n_slots", c_uint32), ("reserved", c_uint64 * 8)]


class DatahubConsumerStats(Structure):
    _fields_ = [("received", c_uint64), ("lost", c_uint64),
                ("expired", c_uint64), ("damaged", c_uint64),
                ("over_quota", c_uint64),
                ("waits", c_uint64), ("quota", c_uint32),
                ("pinned", c_uint32), ("cursor", c_uint64),
                ("head", c_uint64), ("bytes_mapped", c_uint64),
                ("ring_size", c_uint32)]


class DatahubProducerOptions(Structure):
    _fields_ = [("struct_size", c_size_t), ("slot_size", c_uint64),
                ("slots", c_uint32),
                ("ring_size", c_uint32), ("max_bytes", c_uint64),
                ("max_consumers", c_uint32), ("max_pinned", c_uint32),
                ("pack", c_bool), ("mode", c_uint32),
                ("block_timeout_ns", c_int64), ("secret", POINTER(c_uint8)),
                ("checksum", c_uint), ("zone_size", c_uint32),
                ("shared_zone_size", c_uint32), ("hugepages", c_uint),
                ("adopt", c_bool), ("strict", c_bool),
                ("may_go_on", CFUNCTYPE(c_bool, c_void_p)),
                ("may_go_on_data", c_void_p)]


class DatahubSlot(Structure):
    _fields_ = [("data", c_void_p), ("size", c_uint64), ("offset", c_uint64),
                ("pool", c_uint32), ("slot", c_uint32)]


class DatahubCommitMemory(Structure):
    _fields_ = [("slot", POINTER(DatahubSlot)), ("offset", c_uint64),
                ("size", c_uint64)]


class DatahubCommit(Structure):
    _fields_ = [("struct_size", c_size_t), ("type", c_uint), ("flags", c_uint32), ("pts", c_uint64),
                ("dts", c_uint64), ("duration", c_uint64),
                ("offset", c_uint64), ("offset_end", c_uint64),
                ("instant_ns", c_int64), ("n_memories", c_uint32),
                ("memories", DatahubCommitMemory * MAX_MEMORIES),
                ("meta", c_char_p), ("meta_size", c_uint32),
                ("release", c_bool)]


class DatahubProducerStats(Structure):
    _fields_ = [("commits", c_uint64), ("records", c_uint64),
                ("bytes", c_uint64), ("dropped", c_uint64),
                ("evictions", c_uint64), ("reaped", c_uint64),
                ("waits", c_uint64), ("wakes", c_uint64),
                ("growths", c_uint64), ("given_up", c_uint64),
                ("bytes_used", c_uint64),
                ("max_bytes", c_uint64), ("slot_size", c_uint64),
                ("slots", c_uint32), ("free_slots", c_uint32),
                ("ring_size", c_uint32), ("page_size", c_uint64),
                ("adopted", c_bool), ("incarnation", c_uint64)]


_ERROR = POINTER(DatahubError)
_VIEW = POINTER(DatahubView)
# Name without datahub_: result, arguments. c_uint is a DatahubResult.
PROTOTYPES = {
    "result_name": (c_char_p, [c_uint]),
    "crc32c": (c_uint32, [c_void_p, c_size_t]),
    "consumer_options_init_sized": (None, [POINTER(DatahubConsumerOptions),
                                           c_size_t]),
    "consumer_attach": (c_uint, [c_char_p, POINTER(DatahubConsumerOptions),
                                 POINTER(c_void_p), _ERROR]),
    "consumer_rejoin": (c_uint, [c_void_p, _ERROR]),
    "consumer_close": (None, [c_void_p]),
    "consumer_begin_read": (c_uint, [c_void_p, c_int64, _VIEW, _ERROR]),
    "consumer_hold": (None, [c_void_p, _VIEW]),
    "consumer_end_read": (None, [c_void_p, _VIEW]),
    "consumer_get_context": (c_uint, [c_void_p, _VIEW, c_uint, _VIEW, _ERROR]),
    "consumer_read_sticky": (c_uint, [c_void_p, c_uint, _VIEW, _ERROR]),
    "consumer_wait": (c_uint, [c_void_p, c_int64]),
    "consumer_set_interrupted": (None, [c_void_p, c_bool]),
    "consumer_request": (None, [c_void_p, c_uint32]),
    "consumer_post_event": (c_uint, [c_void_p, c_char_p, c_uint64, _ERROR]),
    "consumer_set_limits": (c_uint, [c_void_p, c_char_p, _ERROR]),
    "consumer_beat": (None, [c_void_p]),
    "consumer_set_spin": (None, [c_void_p, c_uint64]),
    "consumer_set_max_age": (None, [c_void_p, c_int64]),
    "consumer_get_clock": (c_uint, [c_void_p, POINTER(c_int64)]),
    "consumer_get_uuid": (c_char_p, [c_void_p]),
    "consumer_get_indices_sized": (None, [c_void_p, POINTER(DatahubIndices),
                                          c_size_t]),
    "consumer_get_stats_sized": (None, [c_void_p,
                                        POINTER(DatahubConsumerStats),
                                        c_size_t]),
    "producer_options_init_sized": (None, [POINTER(DatahubProducerOptions),
                                           c_size_t]),
    "commit_init_sized": (None, [POINTER(DatahubCommit), c_size_t, c_uint]),
    "producer_create": (c_uint, [c_char_p, POINTER(DatahubProducerOptions),
                                 POINTER(c_void_p), _ERROR]),
    "producer_publish": (c_uint, [c_void_p, _ERROR]),
    "producer_close": (None, [c_void_p]),
    "producer_acquire_slot": (c_uint, [c_void_p, c_uint64, c_int64,
                                       POINTER(DatahubSlot), _ERROR]),
    "producer_abort": (None, [c_void_p, POINTER(DatahubSlot)]),
    "producer_commit": (c_uint, [c_void_p, POINTER(DatahubCommit), c_int64,
                                 POINTER(c_uint64), _ERROR]),
    "producer_flush": (c_uint, [c_void_p]),
    "producer_set_interrupted": (None, [c_void_p, c_uint32, c_bool]),
    "producer_wait_consumers": (c_uint, [c_void_p, c_uint32, c_int64]),
    "producer_take_event": (c_uint, [c_void_p, POINTER(c_uint64), c_void_p,
                                     POINTER(c_uint64), _ERROR]),
    "producer_get_limits": (c_uint, [c_void_p, c_uint64, c_char_p, c_uint64,
                                     _ERROR]),
    "producer_get_uuid": (c_char_p, [c_void_p]),
    "producer_get_indices_sized": (None, [c_void_p, POINTER(DatahubIndices),
                                          c_size_t]),
    "producer_get_stats_sized": (None, [c_void_p,
                                        POINTER(DatahubProducerStats),
                                        c_size_t]),
}

Library = collections.namedtuple("Library", PROTOTYPES)


def load(path=None):
    """The library: path, or libdatahub-1.0.so.0 where the loader finds it."""
    shared = ctypes.CDLL(path or "libdatahub-1.0.so.0")
    functions = []
    for name, (result, arguments) in PROTOTYPES.items():
        function = getattr(shared, "datahub_" + name)
        function.restype, function.argtypes = result, arguments
        functions.append(function)
    return Library(*functions)


class Failure(Exception):
    """A call failed; .code is its DatahubResult, the text its message."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Outcome(Exception):
    """A call ended in an ordinary way that is not success."""

    def __init__(self, lib, code):
        super().__init__(lib.result_name(code).decode())
        self.code = code


def nanoseconds(seconds):
    """A timeout: None waits for ever."""
    return FOREVER if seconds is None else int(seconds * 1e9)


def secret_pointer(secret):
    if secret is None:
        return None
    if len(secret) != SECRET_SIZE:
        raise ValueError(f"a secret has {SECRET_SIZE} bytes")
    return (c_uint8 * SECRET_SIZE).from_buffer_copy(secret)


class Handle:
    """What both ends share: the library, the pointer, one way to fail."""

    def __init__(self, lib):
        self.lib = lib
        self.pointer = c_void_p()

    def check(self, code, error=None):
        if code >= VALUES["DATAHUB_ERROR_NAME"]:
            text = error.message.decode(errors="replace") if error else ""
            raise Failure(code, text or self.lib.result_name(code).decode())
        if code != OK:
            raise Outcome(self.lib, code)

    def call(self, function, *arguments):
        """Calls a function with a DatahubError as its last argument."""
        error = DatahubError()
        self.check(function(*arguments, ctypes.byref(error)), error)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Lease:
    """One record, unchanged until end(). Its arrays are views of the shared
    memory itself: using one after end() reads what comes next, or crashes."""

    def __init__(self, consumer, view):
        self._consumer = consumer
        self._live = True
        self.view = view

    def arrays(self):
        """The memories as read-only NumPy arrays of bytes; nothing is copied."""
        import numpy
        found = []
        for memory in self.view.memories[:self.view.n_memories]:
            raw = (c_uint8 * memory.size).from_address(memory.data or 0)
            array = numpy.frombuffer(raw, numpy.uint8) if memory.size \
                else numpy.empty(0, numpy.uint8)
            array.flags.writeable = False
            found.append(array)
        return found

    def meta(self):
        """A copy of the metas, or of the body of an event."""
        return ctypes.string_at(self.view.meta, self.view.meta_size) \
            if self.view.meta_size else b""

    def context(self, which):
        """A copy of the body of the sticky record in force, or None."""
        if self.view.context[which] == NONE:
            return None
        body = DatahubView()
        consumer = self._consumer
        consumer.call(consumer.lib.consumer_get_context, consumer.pointer,
                      self.view, which, body)
        return ctypes.string_at(body.meta, body.meta_size)

    def end(self):
        if self._live:
            self._live = False
            self._consumer.lib.consumer_end_read(self._consumer.pointer,
                                                 self.view)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Consumer(Handle):
    """Attached from the start to close(). One thread reads; any thread ends
    leases and interrupts."""

    def __init__(self, lib, channel, *, reliable=True, start="oldest",
                 max_pinned=0, name=None, secret=None):
        super().__init__(lib)
        options = DatahubConsumerOptions()
        lib.consumer_options_init_sized(options, ctypes.sizeof(options))
        options.reliable = reliable
        options.start = VALUES["DATAHUB_START_" + start.upper()]
        options.max_pinned = max_pinned
        options.name = name.encode() if name else None
        options.secret = secret_pointer(secret)
        self.call(lib.consumer_attach, channel.encode(), options, self.pointer)

    def read(self, timeout=None):
        """The next record as a Lease. Raises Outcome: TIMEOUT, INTERRUPTED,
        CLOSED, PRODUCER_LOST or EVICTED; ctypes lets other threads run."""
        view = DatahubView()
        self.call(self.lib.consumer_begin_read, self.pointer,
                  nanoseconds(timeout), view)
        return Lease(self, view)

    def rejoin(self):
        self.call(self.lib.consumer_rejoin, self.pointer)

    def interrupt(self):
        self.lib.consumer_set_interrupted(self.pointer, True)

    def stats(self):
        stats = DatahubConsumerStats()
        self.lib.consumer_get_stats_sized(self.pointer, stats,
                                          ctypes.sizeof(stats))
        return stats

    def uuid(self):
        return self.lib.consumer_get_uuid(self.pointer).decode()

    def close(self):
        """Leases that are still held stay good; the last end() frees them."""
        self.lib.consumer_close(self.pointer)


class Producer(Handle):
    """A block of its own, published at once."""

    def __init__(self, lib, channel, slot_size, *, checksum="none",
                 secret=None, **options):
        super().__init__(lib)
        wanted = DatahubProducerOptions()
        lib.producer_options_init_sized(wanted, ctypes.sizeof(wanted))
        wanted.slot_size = slot_size
        wanted.checksum = VALUES["DATAHUB_CHECKSUM_" + checksum.upper()]
        wanted.secret = secret_pointer(secret)
        for name, value in options.items():
            setattr(wanted, name, value)
        self.call(lib.producer_create, channel.encode(), wanted, self.pointer)
        try:
            self.call(lib.producer_publish, self.pointer)
        except Failure:
            self.close()
            raise

    @contextlib.contextmanager
    def slot(self, size, timeout=None):
        """Lends a writable NumPy array in shared memory for the with-block:
        (array, loan). The loan ends with it, committed or not."""
        import numpy
        loan = DatahubSlot()
        self.call(self.lib.producer_acquire_slot, self.pointer, size,
                  nanoseconds(timeout), loan)
        try:
            raw = (c_uint8 * size).from_address(loan.data)
            yield numpy.frombuffer(raw, numpy.uint8), loan
        finally:
            self.lib.producer_abort(self.pointer, loan)

    def commit(self, kind, *, loan=None, size=0, body=b"", timeout=None,
               **fields):
        """Publishes one record and gives its sequence."""
        record = DatahubCommit()
        self.lib.commit_init_sized(record, ctypes.sizeof(record), kind)
        record.meta, record.meta_size = body, len(body)
        for name, value in fields.items():
            setattr(record, name, value)
        if loan is not None:
            record.n_memories = 1
            record.memories[0] = DatahubCommitMemory(ctypes.pointer(loan), 0,
                                                     size)
        sequence = c_uint64()
        self.call(self.lib.producer_commit, self.pointer, record,
                  nanoseconds(timeout), sequence)
        return sequence.value

    def wait_consumers(self, count, timeout=None):
        self.check(self.lib.producer_wait_consumers(self.pointer, count,
                                                    nanoseconds(timeout)))

    def interrupt(self):
        self.lib.producer_set_interrupted(self.pointer,
                                          VALUES["DATAHUB_WAIT_ALL"], True)

    def stats(self):
        stats = DatahubProducerStats()
        self.lib.producer_get_stats_sized(self.pointer, stats,
                                          ctypes.sizeof(stats))
        return stats

    def uuid(self):
        return self.lib.producer_get_uuid(self.pointer).decode()

    def close(self):
        self.lib.producer_close(self.pointer)


class InterruptedBySignals:
    """While it lasts, the first of some signals ends every wait of a consumer or
    a producer with INTERRUPTED. Python runs its signal handlers only when a
    call into C has returned, which a wait for ever never does; the byte that
    the interpreter writes into the wakeup descriptor comes at once, and a
    thread passes it on. From the main thread."""

    def __init__(self, *signals):
        self._signals = signals
        self._targets = []
        self._lock = threading.Lock()  # guards the two below
        self.received = None

    def watch(self, target):
        """Also interrupts target, which came to be meanwhile."""
        with self._lock:
            self._targets.append(target)
            late = self.received
        if late:
            target.interrupt()

    def forget(self, target):
        """Before it is closed."""
        with self._lock:
            self._targets.remove(target)

    def _listen(self):
        while True:
            byte = os.read(self._reader, 1)
            if byte[0] == 0:
                return
            with self._lock:
                self.received = byte[0]
                for target in self._targets:
                    target.interrupt()

    def __enter__(self):
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._old = [signal.signal(number, lambda *_: None)
                     for number in self._signals]
        self._old_fd = signal.set_wakeup_fd(self._writer)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        signal.set_wakeup_fd(self._old_fd)
        for number, old in zip(self._signals, self._old):
            signal.signal(number, old)
        os.write(self._writer, b"\0")
        self._thread.join()
        os.close(self._reader)
        os.close(self._writer)
