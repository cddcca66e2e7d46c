#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job, run as a user runs it, then looked at from outside:
split_capture.py LAUNCHER MEDIA-CHECK BEHAVIOUR."""
import os
import pathlib
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from remove_folder import remove_folder

LAUNCHER, MEDIA_CHECK = sys.argv[1:3]
CLIP = os.environ.get("DATAHUB_TEST_CLIP")
CLIP_FRAMES = 720
CLIP_SAMPLES = 1440000  # 30 s at 48000 Hz
RATE = 30
# qtdemux skips a video track that is a smaller part of the recording. The test
# picture lags behind the tone on a machine that cannot make 30 of them a second.
SHORTEST_TRACK = 0.2
LIMIT = 120 * int(os.environ.get("CHECK_SCALE", 1))  # seconds, of one run


class Run:
    """One run of the launcher, in folders of its own."""

    def __init__(self, *arguments, **variables):
        self.shm = tempfile.mkdtemp(prefix="datahub-test-", dir="/dev/shm")
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="datahub-test-"))
        self.out = self.home / "out"
        runtime = self.home / "runtime"
        runtime.mkdir(mode=0o700)
        self.text = ""
        self.unread = b""  # of the output
        self.deadline = time.monotonic() + LIMIT
        self.process = subprocess.Popen(
            [LAUNCHER, "--output", self.out, *arguments],
            env={**os.environ, "DATAHUB_SHM_DIR": self.shm,
                 "DATAHUB_RUNTIME_DIR": str(runtime), **variables},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        remove_folder(self.shm)
        remove_folder(self.home)

    def line(self):
        """The next line of the output, in time; nothing at the end."""
        pipe = self.process.stdout.fileno()
        while b"\n" not in self.unread:
            left = max(self.deadline - time.monotonic(), 0)
            check(select.select([pipe], [], [], left)[0], "too slow")
            part = os.read(pipe, 4096)
            if not part:
                return ""
            self.unread += part
        line, _, self.unread = self.unread.partition(b"\n")
        line = line.decode() + "\n"
        print(line, end="")
        self.text += line
        return line

    def read_until(self, pattern):
        """Reads on until a line matches, and returns the match."""
        while line := self.line():
            match = re.search(pattern, line)
            if match:
                return match
        raise SystemExit(f"FAILED: the output ended without {pattern!r}")

    def read_until_frames(self, process, wanted):
        """Reads on until a process has handled so many frames."""
        frames = 0
        while frames < wanted:
            frames = int(self.read_until(
                rf"^ +\d+ s .*{process} (\d+) frames").group(1))
        return frames

    def end(self):
        while self.line():
            pass
        return self.process.wait(LIMIT)

    def pid(self, name):
        return int(self.read_until(rf"^  {name} +pid (\d+)").group(1))

    def counts(self, process, stream):
        """(buffers, lost) from the table at the end."""
        row = re.search(rf"^  {process} +{stream} +(\d+) +\S+ MB +(\d+)$",
                        self.text, re.M)
        check(row, f"the table has no row for {process} {stream}")
        return int(row.group(1)), int(row.group(2))

    def media(self):
        """(frames, samples) that decode from the recording."""
        done = subprocess.run([MEDIA_CHECK, "count",
                               self.out / "recording.mp4"],
                              capture_output=True, text=True)
        check(done.returncode == 0, f"the recording: {done.stderr}")
        frames, samples = map(int, done.stdout.split())
        print(f"recording: {frames} frames, {samples} samples")
        return frames, samples

    def frames_in_index(self):
        """The frames that the recording's last index lists."""
        data = (self.out / "recording.mp4").read_bytes()
        index = data[data.rindex(b"moov"):]
        sizes = index.index(b"stsz", index.index(b"vmhd"))
        # behind the name: version and flags, one size for all, count
        return struct.unpack_from(">I", index, sizes + 12)[0]

    def compare_picture(self, *clip):
        at = re.search(r"the picture is the frame at (\S+)", self.text)
        check(at, "the preview does not say which frame it chose")
        done = subprocess.run([MEDIA_CHECK, "psnr", self.out / "preview.png",
                               at.group(1), *clip],
                              capture_output=True, text=True)
        print(done.stdout, done.stderr)
        check(done.returncode == 0, "the picture differs")

    def processes(self):
        """Those that have the name of this run among their arguments."""
        name = f"split{self.process.pid}".encode()
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if name in path.read_bytes().split(b"\0"):
                    found.append(path.parent.name)
            except OSError:
                pass  # it ended
        return found

    def nothing_left(self):
        end = time.monotonic() + LIMIT
        while self.processes() and time.monotonic() < end:
            time.sleep(0.05)  # the kernel ends them just after their parent
        check(not self.processes(), f"still running: {self.processes()}")
        left = os.listdir(self.shm)
        check(not left, f"left in shared memory: {left}")


def check(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def generated_picture():
    """A generated picture and tone arrive whole, in both processes."""
    with Run("--duration", "4") as run:
        check(run.end() == 0, "exit status")
        for stream, expected in (("video", 4 * RATE), ("audio", 400)):
            check(run.counts("capture", stream)[0] == expected,
                  f"capture's {stream}")
            check(run.counts("encode", stream) == (expected, 0),
                  f"encode's {stream}")
            got, lost = run.counts("preview", stream)
            check(got + lost == expected, f"preview's {stream}")
        frames, samples = run.media()
        check(frames == 4 * RATE, "frames in the recording")
        check(abs(samples - 4 * 48000) <= 4096, "samples in the recording")
        run.compare_picture()
        run.nothing_left()


def clip():
    """The clip arrives whole: 720 frames in the recording, none lost."""
    need_clip()
    with Run("--fast", CLIP) as run:
        check(run.end() == 0, "exit status")
        check(run.counts("encode", "video") == (CLIP_FRAMES, 0),
              "encode's video")
        check(run.counts("encode", "audio")
              == (run.counts("capture", "audio")[0], 0), "encode's audio")
        got, lost = run.counts("preview", "video")
        check(got + lost == CLIP_FRAMES, "preview's video")
        frames, samples = run.media()
        check(frames == CLIP_FRAMES, "frames in the recording")
        check(abs(samples - CLIP_SAMPLES) <= 4096, "samples in the recording")
        run.compare_picture(CLIP)
        run.nothing_left()


def interrupted():
    """Ctrl-C ends it cleanly, with a recording that plays."""
    with Run("--duration", "0") as run:
        run.read_until_frames("encode", RATE)
        run.process.send_signal(signal.SIGINT)
        check(run.end() == 0, "exit status")
        captured = run.counts("capture", "video")[0]
        check(captured >= RATE, "too little was captured")
        check(run.counts("encode", "video") == (captured, 0),
              "encode's video")
        check(run.media()[0] == captured, "frames in the recording")
        run.nothing_left()


def interrupted_at_once():
    """Ctrl-C while it still starts ends it cleanly too."""
    for seconds in (0.02, 0.1, 0.2, 0.4):
        with Run("--duration", "0") as run:
            time.sleep(seconds)  # the load: no moment of the start is special
            run.process.send_signal(signal.SIGINT)
            check(run.end() in (0, -signal.SIGINT), "exit status")
            run.nothing_left()


def interrupted_file():
    """Ctrl-C in the middle of a file does the same."""
    need_clip()
    with Run(CLIP) as run:
        run.read_until_frames("encode", 24)
        run.process.send_signal(signal.SIGINT)
        check(run.end() == 0, "exit status")
        captured = run.counts("capture", "video")[0]
        check(24 <= captured < CLIP_FRAMES, "not in the middle")
        check(run.counts("encode", "video") == (captured, 0),
              "encode's video")
        check(run.media()[0] == captured, "frames in the recording")
        run.nothing_left()


def encoder_killed():
    """A killed encoder stops nobody, and what it wrote still plays."""
    with Run("--duration", "6") as run:
        pid = run.pid("encode")
        run.read_until_frames("encode", 3 * RATE)
        os.kill(pid, signal.SIGKILL)
        check(run.end() == 1, "the failure shows in the exit status")
        check("killed by signal 9" in run.text, "it says what happened")
        check(run.counts("capture", "video")[0] == 6 * RATE,
              "the capture went on")
        got, lost = run.counts("preview", "video")
        check(got + lost == 6 * RATE, "the preview went on")
        check(run.media()[0] > 0, "the recording plays")
        run.nothing_left()


def capture_killed():
    """Without its producer, encoder and preview complete their files."""
    with Run("--duration", "0") as run:
        pid = run.pid("capture")
        run.read_until_frames("encode", RATE)
        os.kill(pid, signal.SIGKILL)
        check(run.end() == 1, "the failure shows in the exit status")
        check(re.search(r"\[encode +\d+\] done", run.text), "encode ended well")
        check(re.search(r"\[preview +\d+\] done", run.text),
              "preview ended well")
        frames, samples = run.media()
        encoded = run.counts("encode", "video")[0]
        if encoded / RATE < SHORTEST_TRACK * samples / 48000:
            frames = run.frames_in_index()
        check(frames == encoded, "frames in the recording")
        run.compare_picture()


def preview_stopped():
    """A stopped preview slows nobody, and then says what it missed."""
    with Run("--duration", "6") as run:
        pid = run.pid("preview")
        run.read_until_frames("preview", 1)
        os.kill(pid, signal.SIGSTOP)
        run.read_until_frames("capture", 4 * RATE)
        os.kill(pid, signal.SIGCONT)
        check(run.end() == 0, "exit status")
        check(run.counts("encode", "video") == (6 * RATE, 0),
              "encode's video")
        got, lost = run.counts("preview", "video")
        check(lost > 0, "it missed something")
        check(got + lost == 6 * RATE, "and counts it exactly")


def unreadable_input():
    """What is no media file is refused before anything starts."""
    with Run(__file__) as run:
        check(run.end() == 1, "exit status")
        check("split_capture.py: " in run.text, "the message names the file")
        check("pid" not in run.text, "nothing was started")


def missing_plugins():
    """What GStreamer does not have is named, with what to do."""
    with tempfile.TemporaryDirectory() as empty:
        with Run("--duration", "1", GST_PLUGIN_PATH=empty,
                 GST_REGISTRY=f"{empty}/registry.bin") as run:
            check(run.end() == 1, "exit status")
            check("does not find the datahub elements" in run.text,
                  "it says that the elements are missing")
        with Run("--duration", "1", GST_PLUGIN_SYSTEM_PATH=empty,
                 GST_REGISTRY=f"{empty}/registry2.bin") as run:
            check(run.end() == 1, "exit status")
            check(re.search(r'no (element "\w+"|\w+ encoder).*'
                            "install-packages", run.text),
                  "it names what is missing, and how to get it")


def need_clip():
    if not CLIP:
        print("SKIPPED: the clip is not there "
              "(../shared/media beside the project)")
        sys.exit(77)


BEHAVIOURS = {f.__name__.replace("_", "-"): f for f in (
    generated_picture, clip, interrupted, interrupted_at_once, interrupted_file, encoder_killed,
    capture_killed, preview_stopped, unreadable_input,
    missing_plugins)}

BEHAVIOURS[sys.argv[3]]()
