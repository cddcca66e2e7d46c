# SPDX-License-Identifier: LGPL-2.1-or-later
"""A DataBlock seen by an observer: nothing is written and no row is taken, so
the producer never notices. Written from docs/memory-layout.md alone; the names
are those of that page. Needs 64-bit little-endian Linux and nothing else.

    block = Block.attach("cam0")
    reader = Reader(block, "oldest")
    record = reader.read()        # None: nothing new yet

Every number in the files was written by another process: it is copied, then
checked, then used. One thing cannot be caught in Python: if a file is cut short
while it is mapped, the kernel ends the process with SIGBUS."""
import dataclasses
import fcntl
import hashlib
import hmac
import mmap
import os
import re
import stat
import struct
import sys
import threading
from collections import namedtuple

NONE = 2**64 - 1
NO_RECORD = 0xffff
SEQUENCE_MASK = 2**48 - 1
PAGE = 4096
BLOCK_MAGIC = 0x0BADF00DFEEDFACE
POOL_MAGIC = 0x0BADF00DDA7A5107
LOCK_MAGIC = 0x0BADF00D10C4F11E
ENDIAN = 0x01020304
MAJOR = 1
STRICT = 1  # of the flags of the lock file
HEADER_SIZE = 0x400

# State, 0x100 to 0x3ff.
HEAD, STATE, TAIL = 0x100, 0x10c, 0x180
LAST_KEY_SEQ, LAST_BUFFER_SEQ, FLUSH_SEQ = 0x190, 0x198, 0x1a0
POOL_CHANGES = 0x218
READY, DRAINING, CLOSED, MOVED = 2, 3, 4, 5

# Kinds of sections, and what they consist of.
POOLS, STICKY, RING, RECORDS, ERRORS = 1, 2, 3, 4, 5
N_POOLS, N_STICKY, N_ERRORS, ERROR_SIZE = 16, 8, 32, 128
ERRORS_FEATURE = 1 << 2  # of feat_compat: there is a section of errors

(BUFFER, STREAM_START, CAPS, SEGMENT, TAGS, GAP, EOS, EVENT,
 TOMBSTONE) = range(1, 10)
TYPE_NAMES = ("", "buffer", "stream-start", "caps", "segment", "tags", "gap",
              "eos", "event", "tombstone")
CONTEXT_CAPS = 1
STICKY_CAPS = 1
DELTA_UNIT, LIVE, DROPPABLE = 1 << 31, 1 << 30, 1 << 29

Identity = namedtuple("Identity", """magic endian major minor header_size line
    feat_incompat feat_ro_compat feat_compat uuid epoch ctl_size con_size
    dat_size n_slots n_recs slot_stride ring_size rec_stride max_rows row_stride
    pin_words max_quota n_sections section_off secret_tag created_ns owner_uid
    producer_pid lease_budget con_rows_off zone_off zone_size shared_zone_off
    shared_zone_size layout_hash header_check""")
IDENTITY = struct.Struct("<QIHHIIQQQ16sQQQQIIQIIIIIIII32sQIIII4Q8xQQ")
SECTION = struct.Struct("<IIQQII")
POOL_ENTRY = struct.Struct("<IIIIQQ")
POOL_PAGE = struct.Struct("<Q16sIIIIQ")
LOCK_PAGE = struct.Struct("<Q16sIIII")
Fixed = namedtuple("Fixed", """seq ordinal commit_ns pts dts duration offset
    offset_end instant_ns flags type n_mem meta_size meta_gen meta_slot
    meta_offset""")
RECORD = struct.Struct("<8Qq6IQ")
CONTEXT = struct.Struct("<4H4Q")
CRC32C, BLAKE2B = 1, 2
MEMORY = struct.Struct("<IIQQQ")
CHECKSUM = struct.Struct("<I4x32s")
CONTEXT_AT, CHECKSUM_AT = 104, 144
MEMORY_AT, INLINE_AT, RECORD_SIZE = 184, 320, 512
INLINE_SIZE = RECORD_SIZE - INLINE_AT
FLOCK = struct.Struct("@hhqqi4x")  # struct flock of 64-bit Linux

# What layout_hash is made of, in the order of the page.
LAYOUT = (0x400, 32, 32, 512, 4096, 48, 40, 0x108, 0x1a0, 0x218, 104, 184, 312,
          320, 0xc0, 0x100, 0x40, 0x60, 0xc0)

CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
assert IDENTITY.size == 0x100 and RECORD.size == CONTEXT_AT


class NotThere(Exception):
    """There is no such block, or it went away while it was opened."""


class Refused(Exception):
    """The block is damaged, or not for this reader; the text has the reason."""


class Changed(Exception):
    """The producer took the record back while it was being copied."""


def check(condition, sentence):
    if not condition:
        raise Refused(sentence)


def fnv1a(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & NONE
    return value


LAYOUT_HASH = fnv1a(struct.pack(f"<{len(LAYOUT)}I", *LAYOUT))

_lock = threading.Lock()


def barrier():
    """Loads before it are done before loads after it. x86 never reorders two
    loads; elsewhere the release and the acquire of a lock do it, the only
    memory barrier that Python has."""
    with _lock:
        pass
    with _lock:
        pass


def shm_directory():
    return os.environ.get("DATAHUB_SHM_DIR") or "/dev/shm"


def open_file(path, smallest):
    """A regular file of this user, of at least so many bytes, and its size."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path, flags)
    except FileNotFoundError:
        raise NotThere(f"There is no {path}.") from None
    except OSError as error:
        raise Refused(f"{path} cannot be opened: {error.strerror}.") from None
    about = os.fstat(fd)
    try:
        check(stat.S_ISREG(about.st_mode), f"{path} is not a regular file.")
        check(about.st_uid == os.getuid(),
              f"{path} belongs to user {about.st_uid}, not to this one.")
        check(about.st_size >= smallest,
              f"{path} has {about.st_size} bytes, fewer than {smallest}.")
    except Refused:
        os.close(fd)
        raise
    return fd, about.st_size


class Mapping:
    """A file, mapped to be read. Whole aligned words are loaded in one go."""

    def __init__(self, path, smallest):
        fd, self.size = open_file(path, smallest)
        try:
            self._map = mmap.mmap(fd, self.size, mmap.MAP_SHARED,
                                  mmap.PROT_READ)
        finally:
            os.close(fd)
        whole = memoryview(self._map)
        self._views = (whole, whole[:self.size & ~7].cast("Q"),
                       whole[:self.size & ~3].cast("I"))
        self.bytes, self._u64, self._u32 = self._views

    def u64(self, offset):
        return self._u64[offset >> 3]

    def u32(self, offset):
        return self._u32[offset >> 2]

    def copy(self, offset, size):
        return bytes(self.bytes[offset:offset + size])

    def close(self):
        for view in reversed(self._views):
            view.release()
        self._map.close()


class Pool:
    """One file of slots, checked against its entry in the pool table."""

    def __init__(self, path, uuid, entry):
        gen, kind, self.n_slots, _, self.stride, size = entry
        check(self.n_slots > 0 and self.stride > 0
              and size == PAGE + self.n_slots * self.stride,
              f"The pool table contradicts itself about pool {gen}.")
        self.map = Mapping(path, PAGE)
        page = POOL_PAGE.unpack_from(self.map.bytes)
        if (self.map.size != size or page[:4] != (POOL_MAGIC, uuid, gen, kind)
                or (page[4], page[6]) != (self.n_slots, self.stride)):
            self.map.close()
            raise Refused(f"{path} is not the pool that the block's table "
                          "names.")

    def copy(self, slot, offset, size):
        check(slot < self.n_slots and offset <= self.stride
              and size <= self.stride - offset,
              f"A record points outside of its pool: slot {slot} of "
              f"{self.n_slots}, bytes {offset} to {offset + size} of "
              f"{self.stride}.")
        return self.map.copy(PAGE + slot * self.stride + offset, size)


def check_identity(i, raw, ctl_size, con_size):
    """The numbers that were written once; a sentence for what is wrong."""
    check(i.magic == BLOCK_MAGIC, "Its first bytes are not a DataBlock's.")
    check(i.endian == ENDIAN, "It was made on a machine with another byte "
          "order.")
    check(i.major == MAJOR, f"It has version {i.major}.{i.minor} of the "
          f"layout, this reader supports version {MAJOR}.")
    check(i.feat_incompat == 0, f"It uses features ({i.feat_incompat:#x}) that "
          "this reader does not know.")
    check(i.header_check == fnv1a(raw[:-8]),
          "Its header does not match its check sum.")
    check(i.layout_hash == LAYOUT_HASH, "It was made by a build with another "
          "memory layout.")
    check(i.header_size == HEADER_SIZE and i.ctl_size == ctl_size
          and i.con_size == con_size,
          "Its files have other sizes than in its header: "
          f"{ctl_size} and {con_size} bytes, not {i.ctl_size} and "
          f"{i.con_size}.")
    check(1 <= i.n_recs <= 65534 and 1 <= i.max_rows <= 256
          and i.ring_size > 0 and i.ring_size & (i.ring_size - 1) == 0
          and i.rec_stride >= RECORD_SIZE and i.rec_stride % 8 == 0
          and i.pin_words == (i.n_recs + 63) // 64
          and i.row_stride >= 0xc0 + 8 * i.pin_words
          and i.con_rows_off + i.max_rows * i.row_stride <= con_size,
          "The numbers of its header contradict each other.")
    zone = 64 + 4 * (-(-i.zone_size // 64) * 64) if i.zone_size else 0
    check(i.zone_off % 64 == 0 and i.zone_off + zone <= ctl_size
          and i.shared_zone_off + i.shared_zone_size <= con_size,
          "Its flexible zones are outside of its files.")


def check_sections(ctl, identity):
    """Where each section begins: {kind: offset}."""
    wanted = {POOLS: (N_POOLS, POOL_ENTRY.size), STICKY: (N_STICKY, 8),
              RING: (identity.ring_size, 8),
              RECORDS: (identity.n_recs, identity.rec_stride)}
    if identity.feat_compat & ERRORS_FEATURE:
        wanted[ERRORS] = (N_ERRORS, ERROR_SIZE)
    size = identity.n_sections * SECTION.size
    check(identity.section_off >= HEADER_SIZE and size <= ctl.size
          and identity.section_off <= ctl.size - size,
          "Its table of sections is outside of the file.")
    offsets = {}
    table = ctl.copy(identity.section_off, size)
    for kind, _, offset, size, count, stride in SECTION.iter_unpack(table):
        if kind not in wanted:
            continue  # of a later minor version
        check(kind not in offsets, f"It has section {kind} twice.")
        check(offset >= HEADER_SIZE and offset % 8 == 0
              and offset <= ctl.size and size <= ctl.size - offset
              and (count, stride) == wanted[kind] and count * stride <= size,
              f"Section {kind} reaches outside of the file or has another "
              "size than in the header.")
        offsets[kind] = offset
    check(len(offsets) == len(wanted), "A section is missing.")
    return offsets


def check_secret(identity, secret):
    """Without one, the permissions of the files are what decides."""
    if secret is None:
        return
    tag = hashlib.blake2b(identity.uuid, digest_size=32, key=secret).digest()
    check(hmac.compare_digest(tag, identity.secret_tag),
          "It has another secret than the given one.")


class Block:
    """The files of one block, opened and validated."""

    @classmethod
    def attach(cls, channel, secret=None, not_uuid=None):
        """Opens what the name leads to now. NotThere: nothing, or (again) the
        block not_uuid, which is over."""
        check(CHANNEL.fullmatch(channel), f"'{channel}' is not the name of a "
              "channel: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or "
              "digit.")
        check(sys.byteorder == "little" and struct.calcsize("P") == 8,
              "This reader is for 64-bit little-endian machines.")
        prefix = f"{shm_directory()}/datahub-{os.getuid()}-"
        lock_fd, _ = open_file(prefix + channel, LOCK_PAGE.size)
        try:
            return cls(prefix, channel, lock_fd, secret, not_uuid)
        except BaseException:
            os.close(lock_fd)
            raise

    def __init__(self, prefix, channel, lock_fd, secret, not_uuid):
        page = LOCK_PAGE.unpack(os.pread(lock_fd, LOCK_PAGE.size, 0))
        magic, self.uuid, major, _, _, flags = page
        check(magic == LOCK_MAGIC, "The name does not lead to a DataBlock.")
        check(major == MAJOR, f"It has version {major} of the layout, this "
              f"reader supports version {MAJOR}.")
        check(not flags & STRICT, "It is strict: its memory has no names and "
              "is passed on by its producer; this reader opens named blocks "
              "only.")
        check(flags == 0, f"It uses a kind of storage (flags {flags:#x}) that "
              "this reader does not know.")
        if self.uuid == not_uuid:
            raise NotThere("The name still leads to the block that has ended.")
        self.lock_fd = lock_fd
        self._entry = prefix + channel
        self._prefix = prefix + self.uuid.hex()
        self.pools = {}
        self._pools_seen = None
        self.ctl = Mapping(self._prefix + ".ctl", HEADER_SIZE)
        try:
            self._validate(secret)
            self.open_pools()
        except BaseException:
            self._close_maps()
            raise

    def _validate(self, secret):
        raw = self.ctl.copy(0, IDENTITY.size)
        self.identity = Identity(*IDENTITY.unpack(raw))
        con_fd, con_size = open_file(self._prefix + ".con", PAGE)
        bell = os.pread(con_fd, 24, 0xf00)
        os.close(con_fd)
        check_identity(self.identity, raw, self.ctl.size, con_size)
        check(self.identity.uuid == self.uuid
              and bell == struct.pack("<Q16s", BLOCK_MAGIC, self.uuid),
              "Its files belong to different blocks.")
        check_secret(self.identity, secret)
        self._sections = check_sections(self.ctl, self.identity)
        check(READY <= self.state() <= MOVED,
              f"Its state is {self.state()}, which no published block has.")

    def _close_maps(self):
        self.ctl.close()
        for pool in self.pools.values():
            pool.map.close()
        self.pools.clear()

    def close(self):
        self._close_maps()
        os.close(self.lock_fd)

    def state(self):
        return self.ctl.u32(STATE)

    def producer_lives(self):
        """The kernel knows: byte 0 is locked as long as the process is there,
        stopped or not."""
        asked = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
        told = fcntl.fcntl(self.lock_fd, fcntl.F_OFD_GETLK, asked)
        return FLOCK.unpack(told)[0] != fcntl.F_UNLCK

    def may_go_on(self):
        """While the name leads to it a successor of a dead producer may go on
        with the block; then the producer lives again."""
        try:
            named = os.stat(self._entry, follow_symlinks=False)
        except FileNotFoundError:
            return False
        own = os.fstat(self.lock_fd)
        return (self.state() == READY and (named.st_dev, named.st_ino)
                == (own.st_dev, own.st_ino))

    def section(self, kind):
        """Where in the control file the section begins."""
        return self._sections[kind]

    def ring_word(self, sequence):
        slot = sequence % self.identity.ring_size
        return self.ctl.u64(self._sections[RING] + 8 * slot)

    def sticky_word(self, index):
        return self.ctl.u64(self._sections[STICKY] + 8 * index)

    def raw_record(self, index):
        check(index < self.identity.n_recs, f"A word points at record {index} "
              f"of {self.identity.n_recs}.")
        return self.ctl.copy(self._sections[RECORDS]
                             + index * self.identity.rec_stride, RECORD_SIZE)

    def _pool_entry(self, index):
        at = self._sections[POOLS] + index * POOL_ENTRY.size
        gen = self.ctl.u32(at)
        barrier()
        entry = POOL_ENTRY.unpack(self.ctl.copy(at, POOL_ENTRY.size))
        barrier()
        return entry if gen and self.ctl.u32(at) == gen == entry[0] else None

    def open_pools(self):
        """Opens pools as soon as the table names them: a producer that closes
        waits for consumers, not for observers, before it unlinks them."""
        changes = self.ctl.u32(POOL_CHANGES)
        if changes == self._pools_seen:
            return
        barrier()
        entries = filter(None, map(self._pool_entry, range(N_POOLS)))
        named = {entry[0]: entry for entry in entries}
        for gen in self.pools.keys() - named.keys():
            self.pools.pop(gen).map.close()
        for gen in named.keys() - self.pools.keys():
            try:
                self.pools[gen] = Pool(f"{self._prefix}.d{gen}", self.uuid,
                                       named[gen])
            except NotThere:
                pass  # gone again; a record that needs it will fail
        self._pools_seen = changes

    def copy_slot(self, gen, slot, offset, size):
        if gen not in self.pools:
            self._pools_seen = None
            self.open_pools()
        if gen not in self.pools:
            raise NotThere(f"Pool {gen} is gone.")
        return self.pools[gen].copy(slot, offset, size)


def crc32c_table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
        yield value


_crc32c = tuple(crc32c_table())


def crc32c(data, value=0):
    """Slow: Python knows the other CRC-32 only."""
    value ^= 0xffffffff
    for byte in data:
        value = value >> 8 ^ _crc32c[(value ^ byte) & 0xff]
    return value ^ 0xffffffff


@dataclasses.dataclass
class Record:
    """A record and its bytes, all of it a copy."""
    fixed: Fixed
    payload: bytes
    body: bytes  # metas of a buffer, or the body of an event
    checksum: tuple = (0, b"")  # kind, bytes
    caps: str = None  # in force
    lost: int = 0  # buffers between the one read before and this
    flushed: bool = False  # the producer flushed before it

    @property
    def type_name(self):
        return TYPE_NAMES[self.fixed.type]

    def verify(self):
        """Refuses a record that does not match its check sum, if it has one."""
        kind, told = self.checksum
        if kind == CRC32C:
            is_same = told[:4] == struct.pack(
                "<I", crc32c(self.body, crc32c(self.payload)))
        elif kind == BLAKE2B:
            both = hashlib.blake2b(self.payload, digest_size=32)
            both.update(self.body)
            is_same = both.digest() == told
        else:
            is_same = True
        check(is_same, f"Record {self.fixed.seq} does not match its check "
              "sum.")


def text_of(body):
    """Caps and tags are UTF-8 text that ends with a zero byte."""
    check(body.endswith(b"\0") and body.count(b"\0") == 1,
          "The body of the caps is not text.")
    try:
        return body[:-1].decode()
    except UnicodeDecodeError:
        raise Refused("The caps are not UTF-8 text.") from None


class Reader:
    """Follows a block. Never waits: the caller of read() chooses how to wait."""

    def __init__(self, block, start="latest"):
        self.block = block
        self.laps = 0
        self._flushed = False
        self._ordinal = None  # of the next buffer, when none is lost
        self._caps = (NONE, None)  # sequence and text of the caps read last
        self.cursor = self._first(start)

    def _first(self, start):
        ctl = self.block.ctl
        tail, head = ctl.u64(TAIL), ctl.u64(HEAD)
        if start == "oldest":
            return tail
        newest = ctl.u64(LAST_KEY_SEQ if start == "keyframe"
                         else LAST_BUFFER_SEQ)
        return newest if tail <= newest < head else head

    def read(self):
        """The next record, or None: nothing new, or it was lost just now and
        the next call goes on behind the gap."""
        self.block.open_pools()
        head = self.block.ctl.u64(HEAD)
        flush = min(self.block.ctl.u64(FLUSH_SEQ), head)
        if flush > self.cursor:
            self.cursor, self._flushed, self._ordinal = flush, True, None
        barrier()
        if self.cursor >= head:
            return None
        word = self.block.ring_word(self.cursor)
        if (word >> 16 != self.cursor & SEQUENCE_MASK
                or word & 0xffff == NO_RECORD):
            return self._skip()
        try:
            record = self._copy(word)
        except Changed:
            # given up just now: the word leads to a tombstone, met next time
            again = self.block.ring_word(self.cursor)
            if again >> 16 == word >> 16 and again & 0xffff != NO_RECORD:
                return None
            return self._skip()
        self.cursor += 1
        if record.fixed.type == TOMBSTONE:
            return None  # a loss, which the next record reports
        self._count(record)
        return record

    def _skip(self):
        """Lapped. Going on at the oldest record would mean to be lapped again
        at once; the middle of the ring leaves room."""
        self.laps += 1
        tail, head = self.block.ctl.u64(TAIL), self.block.ctl.u64(HEAD)
        self.cursor = max(self.cursor + 1,
                          min(head, tail + max(head - tail, 0) // 2))

    def _count(self, record):
        ordinal = record.fixed.ordinal
        if self._ordinal is not None:
            record.lost = max(ordinal - self._ordinal, 0)
        record.flushed, self._flushed = self._flushed, False
        self._ordinal = ordinal + (record.fixed.type == BUFFER)

    def _still(self, word):
        barrier()
        if self.block.ring_word(self.cursor) != word:
            raise Changed

    def _copy(self, word):
        """The record behind an unchanged word. What looks damaged while the
        word changes was only taken back."""
        try:
            raw = self.block.raw_record(word & 0xffff)
            self._still(word)
            record = self._take(raw, self.cursor)
            caps = self._caps_of(raw)
        except (Refused, NotThere):
            self._still(word)
            raise
        self._still(word)
        self._caps, record.caps = caps, caps[1]
        return record

    def _take(self, raw, sequence):
        fixed = Fixed(*RECORD.unpack_from(raw))
        check(fixed.seq == sequence, f"The ring leads from {sequence} to the "
              f"record of {fixed.seq}.")
        check(BUFFER <= fixed.type <= TOMBSTONE and fixed.n_mem <= 4,
              f"Record {sequence} is of type {fixed.type} and has "
              f"{fixed.n_mem} memories.")
        parts = []
        for i in range(fixed.n_mem):
            gen, slot, offset, size, _ = MEMORY.unpack_from(
                raw, MEMORY_AT + i * MEMORY.size)
            parts.append(self.block.copy_slot(gen, slot, offset, size))
        return Record(fixed, b"".join(parts), self._body(raw, fixed),
                      CHECKSUM.unpack_from(raw, CHECKSUM_AT))

    def _body(self, raw, fixed):
        if fixed.meta_gen:
            return self.block.copy_slot(fixed.meta_gen, fixed.meta_slot,
                                        fixed.meta_offset, fixed.meta_size)
        check(fixed.meta_size <= INLINE_SIZE, f"Record {fixed.seq} has "
              f"{fixed.meta_size} bytes inline.")
        return raw[INLINE_AT:INLINE_AT + fixed.meta_size]

    def _caps_of(self, raw):
        """Sequence and text of the caps in force for a record. They change no
        more than it does."""
        fields = CONTEXT.unpack_from(raw, CONTEXT_AT)
        index, sequence = fields[CONTEXT_CAPS], fields[4 + CONTEXT_CAPS]
        if index == NO_RECORD:
            return NONE, None
        if sequence == self._caps[0]:
            return self._caps
        return sequence, self._caps_text(index, sequence)

    def _caps_text(self, index, sequence):
        record = self._take(self.block.raw_record(index), sequence)
        check(record.fixed.type == CAPS, f"Record {sequence} should be caps and "
              f"is {record.type_name}.")
        return text_of(record.body)

    def newest_caps(self):
        """The caps before any buffer, or None."""
        word = self.block.sticky_word(STICKY_CAPS)
        if word & 0xffff == NO_RECORD:
            return None
        barrier()
        try:
            text = self._caps_text(word & 0xffff, word >> 16)
        except (Refused, NotThere):
            if self.block.sticky_word(STICKY_CAPS) == word:
                raise
            return None
        barrier()
        return text if self.block.sticky_word(STICKY_CAPS) == word else None

    def over(self):
        """'closed', 'died', or None while the producer goes on."""
        if self.block.state() in (CLOSED, MOVED):
            return "closed"
        return None if self.block.producer_lives() else "died"

    def ended(self):
        """As over(), but None while there is something left to read."""
        how = self.over()
        barrier()
        return how if self.block.ctl.u64(HEAD) <= self.cursor else None
