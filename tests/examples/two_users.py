#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recipe of docs/security.md, done as it is written by two users:
two_users.py PAGE BUILD. A block `sh NAME` of the page holds the commands of that user. Only the
port, the keys and the window are changed. Then the viewer tries what it may not, and
the list takes its right. Needs root, to be two users. The output is TAP."""
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from remove_folder import remove_folder

PAGE, BUILD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
SCALE = int(os.environ.get("CHECK_SCALE", 1))
LIMIT_S = 60 * SCALE
USERS = {"camera": 300_000 + os.getpid() % 100_000 * 4}
USERS["viewer"] = USERS["camera"] + 1
BLOCK = re.compile(r"^ *```sh (camera|viewer)\n(.*?)^ *```", re.M | re.S)
KEY = r"\S{40}"
# No command of the viewer takes longer; shorter than LIMIT_S.
TIMEOUT = f"timeout {30 * SCALE}"


def skip(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(77)


def steps():
    """The commands of the page, in its order: [(user, text)]."""
    return [(user, re.sub(r"^   ", "", text, flags=re.M))
            for user, text in BLOCK.findall(PAGE.read_text())]


class Place:
    def __init__(self, folder):
        self.folder = folder
        self.children = []
        self.shm = pathlib.Path(tempfile.mkdtemp(prefix="datahub-two-users-",
                                                 dir="/dev/shm"))
        self.shm.chmod(0o1777)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for user, number in USERS.items():
            for name in (user, f"{user}/runtime"):
                (folder / name).mkdir(mode=0o700)
                os.chown(folder / name, number, number)

    def environment(self, user):
        home = self.folder / user
        return os.environ | {
            "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "runtime"),
            "DATAHUB_SHM_DIR": str(self.shm),
            "GST_REGISTRY": str(home / "registry"),
            "GST_PLUGIN_PATH": str(BUILD / "gst"),
            "LD_LIBRARY_PATH": str(BUILD / "lib" / "datahub"),
            "PATH": f"{BUILD / 'lib' / 'cli'}:{os.environ['PATH']}"}

    def start(self, user, commands, name):
        """Runs commands in the background, with a log."""
        log = self.folder / f"{name}.log"
        with log.open("w") as out:
            child = subprocess.Popen(
                ["bash", "-ec", commands.replace("5570", str(self.port))],
                stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                cwd=self.folder / user, env=self.environment(user),
                user=USERS[user], group=USERS[user], extra_groups=[],
                umask=0o022, start_new_session=True)
        child.log = log
        self.children.append(child)
        return child

    def run(self, user, commands):
        """Runs commands to their end. Returns the exit code and what they print."""
        child = self.start(user, commands, f"run-{len(self.children)}")
        try:
            child.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            sys.exit(f"Bail out! no end: {commands}\n{child.log.read_text()}")
        return child.returncode, child.log.read_text()

    def doors(self):
        """The sockets of strict blocks; a new block has another one."""
        return {file.name for file in self.shm.glob("*.sck")}

    def end(self):
        for child in reversed(self.children):  # the broker last
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        remove_folder(self.shm)


def wait_for(what, text, done):
    end = time.monotonic() + LIMIT_S
    while not done():
        if time.monotonic() > end:
            sys.exit(f"Bail out! {what} was not seen:\n{text()}")
        time.sleep(0.02)  # between two looks


class Report:
    def __init__(self):
        self.number = 0
        self.failed = False

    def check(self, good, what, more=""):
        self.number += 1
        self.failed |= not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {what}")
        if not good:
            print("\n".join("# " + line for line in str(more).splitlines()[-20:]))


def count_pictures(log):
    return log.read_text().count("chain")


def is_still(viewer, witness):
    """Whether the viewer has no picture while the witness has thirty."""
    before, seen = count_pictures(viewer.log), count_pictures(witness.log)
    wait_for("a picture of the new block", witness.log.read_text,
             lambda: count_pictures(witness.log) >= seen + 30)
    return count_pictures(viewer.log) == before


def shown(commands):
    """The window of the page, without a screen: each picture is a line."""
    assert "autovideosink" in commands
    return commands.replace("gst-launch-1.0", "exec gst-launch-1.0 -v").replace(
        "autovideosink", "fakesink silent=false sync=false")


def perform(place, report):
    """The page, step by step. Returns what runs then."""
    todo = steps()
    users = [user for user, _ in todo]
    if users != ["viewer", "camera", "camera", "viewer", "camera", "viewer"]:
        sys.exit(f"Bail out! the page has other steps: {users}")
    code, text = place.run("viewer", todo[0][1])
    key = re.search(f"^{KEY}$", text, re.M)
    report.check(code == 0 and key, "the viewer has a pair of keys", text)
    listing = todo[1][1].replace("PUBLIC KEY OF THE VIEWER", key[0])
    broker = place.start("camera", listing.replace(
        "datahub broker", "exec datahub broker"), "broker")
    public = place.folder / "camera/runtime/datahub/broker.pub"
    wait_for("the broker's key", broker.log.read_text, public.exists)
    code, line = place.run("camera", todo[2][1])
    report.check(code == 0 and re.match(KEY, line), "the broker has a public key",
                 line)
    code, text = place.run("viewer", todo[3][1].replace("LINE OF THE BROKER",
                                                        line.strip()))
    report.check(code == 0, "the viewer stores it", text)
    sink = place.start("camera", todo[4][1].replace(
        "gst-launch-1.0", "exec gst-launch-1.0"), "sink")
    viewer = place.start("viewer", shown(todo[5][1]), "viewer")
    wait_for("a picture", lambda: viewer.log.read_text() + sink.log.read_text(),
             lambda: count_pictures(viewer.log) >= 10)
    report.check(True, "the viewer watches")
    return broker, sink, viewer, todo[5][1]


def try_to_write(place, report):
    """What the viewer must not be able to do while it watches."""
    options = ("broker=tcp://127.0.0.1:5570 curve-server-key=keys/broker.pub "
               "curve-key-file=keys/me.key")
    files = [file for file in place.shm.iterdir()
             if not stat.S_ISSOCK(file.lstat().st_mode)]
    writable = [str(file) for file in files
                if place.run("viewer", f"test -w {file}")[0] == 0]
    report.check(files and not writable, "no file of the block can be written",
                 writable)
    code, text = place.run("viewer", f"{TIMEOUT} gst-launch-1.0 fakesrc ! "
                           f"datahubsink datablock=cam0 strict=true {options}")
    report.check(code not in (0, 124) and "produce" in text,
                 "the viewer may not produce", text)
    code, text = place.run(
        "viewer", f"{TIMEOUT} gst-launch-1.0 datahubsrc datablock=cam0 broker=none "
        "timeout=500000000 num-buffers=1 ! fakesink")
    report.check(code not in (0, 124), "no ticket, no picture", text)


def revoke(place, report, running):
    broker, sink, viewer, watch = running
    witness = place.start("camera", "exec gst-launch-1.0 -v datahubsrc "
                          "datablock=cam0 ! fakesink silent=false sync=false",
                          "witness")
    wait_for("a picture", witness.log.read_text,
             lambda: count_pictures(witness.log) >= 10)
    listing = place.folder / "camera/clients.json"
    listing.write_text('{ "clients": [] }\n')
    first = place.doors()
    began = time.monotonic()
    os.kill(broker.pid, signal.SIGHUP)
    wait_for("another block", broker.log.read_text,
             lambda: place.doors() - first)
    passed = time.monotonic() - began
    print(f"# another block after {1000 * passed:.0f} ms")
    wait_for("the end of the pictures", viewer.log.read_text,
             lambda: is_still(viewer, witness))
    report.check(True, "the viewer sees no more")
    code, text = place.run("viewer", shown(watch).replace(
        "datahubsrc", f"datahubsrc timeout={2_000_000_000 * SCALE} num-buffers=1"
        ).replace("exec", TIMEOUT))
    report.check(code not in (0, 124) and "allow-list" in text,
                 "and is refused, with the reason", text)
    report.check(sink.poll() is None and broker.poll() is None,
                 "broker and producer go on", sink.log.read_text())


def main():
    if os.geteuid() != 0:
        skip("to be two users needs root")
    with tempfile.TemporaryDirectory(prefix="datahub-two-users-") as folder:
        os.chmod(folder, 0o755)
        place = Place(pathlib.Path(folder))
        report = Report()
        try:
            plugin = BUILD / "gst" / "libgstdatahub.so"
            if place.run("viewer", f"test -r {plugin}")[0] != 0:
                skip("another user may not read the build folder")
            running = perform(place, report)
            try_to_write(place, report)
            revoke(place, report, running)
        finally:
            place.end()
    print(f"1..{report.number}")
    sys.exit(report.failed)


main()
