# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is refused to which process: the rows of limits.py."""
import errno
import typing

# No videotestsrc: its code generator makes a temporary file of its own.
BYTES = ("fakesrc num-buffers={n} sizetype=fixed sizemax={size} filltype=zero"
         " format=time ! application/x-limits ! ")
SINK = BYTES.format(n=12, size=50000) + "datahubsink datablock=x sync=false"
SOURCE = ("datahubsrc datablock=x num-buffers=2 timeout=2000000000"
          " ! fakesink async=false")
PRODUCER = (BYTES.format(n=-1, size=4096)
            + "identity sleep-time=20000 ! datahubsink datablock=x sync=false")
PIPELINES = {"sink": SINK, "strict sink": SINK + " strict=true",
             "source": SOURCE, "strict source": SOURCE}
COMMANDS = {"list": ["list"], "doctor": ["doctor"], "inspect": ["inspect", "x"],
            "reclaim": ["reclaim"], "broker": ["broker"],
            "keygen": ["keygen", "PLACE/key"]}
# Of these one of several processes is short of the resource.
GROUPS = ("helper", "host", "serving broker")
NEEDS_PRODUCER = ("source", "strict source", "list", "doctor", "inspect")

ADDRESSES = range(60_000_000, 900_000_000, 120_000_000)
BIG = [0, 1, 4096, 100_000, 1_000_000, 3_000_000]
SPACE = [0, 4096, 8192, 16384]


class Row(typing.NamedTuple):
    role: str
    kind: str  # as limited.c has them, or a full folder, see limits.py
    values: typing.Sequence[int]
    words: str = ""  # that the output must contain at each value
    every: int = 1  # of the values without --full

    @property
    def name(self):
        return f"{self.role}, {self.kind}"


ROWS = [
    Row("sink", "nofile", range(10, 61)),
    Row("strict sink", "nofile", range(10, 61)),
    Row("source", "nofile", range(10, 41)),
    Row("strict source", "nofile", range(10, 61), every=5),
    Row("list", "nofile", range(10, 31)),
    Row("doctor", "nofile", range(10, 31)),
    Row("inspect", "nofile", range(8, 14)),
    Row("reclaim", "nofile", range(8, 14)),
    Row("keygen", "nofile", range(4, 14), every=2),
    Row("broker", "nofile", range(10, 41)),
    Row("broker", "nofile", range(41, 90), every=6),
    Row("serving broker", "nofile", range(36, 80), every=7),
    Row("helper", "nofile", range(10, 90), every=9),
    Row("host", "nofile", [*range(10, 61), *range(61, 150, 4)], every=9),
    Row("sink", "fsize", BIG, "RLIMIT_FSIZE"),
    Row("strict sink", "fsize", BIG, "RLIMIT_FSIZE"),
    Row("source", "fsize", [0, 4096]),
    Row("strict source", "fsize", [0, 4096], every=2),
    Row("broker", "fsize", [0, 10, 100]),
    Row("serving broker", "fsize", [0, 10, 100, 4096], every=2),
    Row("helper", "fsize", [0, 10, 100, 4096], every=2),
    Row("host", "fsize", [0, 10, 100, 4096, 100_000], every=3),
    Row("list", "fsize", [0, 10]),
    Row("keygen", "fsize", [0, 10, 39], "RLIMIT_FSIZE"),
    Row("sink", "as", ADDRESSES),
    Row("strict sink", "as", ADDRESSES, every=2),
    Row("source", "as", ADDRESSES),
    Row("strict source", "as", ADDRESSES, every=4),
    Row("list", "as", ADDRESSES),
    Row("doctor", "as", ADDRESSES, every=4),
    Row("broker", "as", ADDRESSES),
    Row("serving broker", "as", ADDRESSES, every=3),
    Row("helper", "as", ADDRESSES, every=3),
    Row("host", "as", [*ADDRESSES, *range(900_000_000, 3_000_000_000, 300_000_000)],
        every=4),
    # GStreamer itself needs the streaming thread, and between those that are
    # refused and those that are enough it depends on which thread comes first.
    Row("source", "nproc", [2, 3, 30]),
    Row("sink", "nproc", [2, 3, 30]),
    Row("strict sink", "nproc", [2, 3, 30]),
    Row("list", "nproc", range(1, 7)),
    Row("broker", "nproc", range(1, 7)),
    Row("serving broker", "nproc", range(2, 40), every=12),
    Row("helper", "nproc", range(2, 40), every=12),
    Row("sink", "fallocate", [errno.ENOSPC, errno.EDQUOT], "shared memory"),
    Row("strict sink", "fallocate", [errno.ENOSPC, errno.ENOMEM], "memory"),
    Row("strict sink", "memfd_create", [errno.EMFILE, errno.EPERM], "memory"),
    Row("source", "memfd_create", [errno.EMFILE]),
    Row("helper", "memfd_create", [errno.EMFILE]),
    Row("sink", "inotify_init1", [errno.EMFILE]),
    Row("source", "inotify_init1", [errno.EMFILE]),
    Row("list", "inotify_init1", [errno.EMFILE]),
    Row("serving broker", "inotify_init1", [errno.EMFILE]),
    Row("helper", "inotify_init1", [errno.EMFILE]),
    Row("sink", "shm space", [0, 4096, 100_000, 1_000_000, 4_000_000], every=2),
    Row("strict sink", "shm space", [0, 4096, 1_000_000], every=2),
    Row("sink", "shm files", range(0, 8), every=3),
    Row("strict sink", "shm files", range(0, 8), every=3),
    Row("source", "shm files", [0, 1], every=2),
    Row("doctor", "shm space", [0], "0 bytes are free"),
    Row("sink", "runtime space", SPACE, every=3),
    Row("sink", "runtime files", range(0, 8), every=3),
    Row("host", "runtime space", SPACE, every=3),
    Row("host", "runtime files", range(0, 8), every=3),
    Row("helper", "runtime space", SPACE, every=3),
    Row("helper", "runtime files", range(0, 8), every=3),
    Row("broker", "runtime space", SPACE, every=2),
    Row("broker", "runtime files", range(0, 8), every=3),
    Row("keygen", "runtime space", [0, 4096]),
    Row("keygen", "runtime files", range(0, 6), every=3),
    Row("doctor", "runtime space", [0]),
]
