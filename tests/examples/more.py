#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What README lists under "More that works", and the examples it points to:
more.py ROOT MEDIA-CHECK player|h264|python|analytics|app-filter|systemd|browser|rtsp."""
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "common"))
from remove_folder import remove_folder

ROOT, MEDIA_CHECK, CASE = pathlib.Path(sys.argv[1]), *sys.argv[2:4]
EXAMPLES = ROOT / "examples"
PYTHON = "/usr/bin/python3"  # Debian's bindings are those of Debian's Python
LIMIT = 60 * int(os.environ.get("CHECK_SCALE", 1))  # seconds
FRAMES = 60
CAMERA = ("gst-launch-1.0 videotestsrc is-live=true pattern=ball {} "
          "! video/x-raw,format=I420,width=320,height=240 "
          "! datahubsink datablock=cam0 {}")


def need(condition, what):
    if not condition:
        print(f"SKIPPED: {what} is not installed")
        sys.exit(77)


def need_bindings(name):
    run = subprocess.run([PYTHON, "-c", "import gi, numpy; "
                          f"gi.require_version('{name}', '1.0')"],
                         capture_output=True)
    need(run.returncode == 0, f"the binding of {name}")


def commands(start):
    """README's commands in that section that begin so."""
    text = (ROOT / "README.md").read_text()
    text = text[text.index("## More that works"):]
    text = text[:text.index("\n## ")]
    found = re.findall(rf"^    ({start}.*)$", text, re.M)
    assert found, f"README has no line with {start}"
    return found


def wait_for(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"


def first_line(process):
    """What @process prints first, with its pipe still open."""
    line, end = b"", time.monotonic() + LIMIT
    while not line.endswith(b"\n"):
        left = max(end - time.monotonic(), 0)
        assert select.select([process.stdout], [], [], left)[0], "no line came"
        byte = os.read(process.stdout.fileno(), 1)
        assert byte, "it ended without a line"
        line += byte
    return line.decode()


def children(process):
    run = subprocess.run(["ps", "--ppid", str(process.pid), "-o", "pid="],
                         capture_output=True, text=True)
    return run.stdout.split()


class Sandbox:
    def __init__(self):
        self.shm = tempfile.mkdtemp(prefix="datahub-test-", dir="/dev/shm")
        self.home = tempfile.mkdtemp(prefix="datahub-test-")
        os.mkdir(f"{self.home}/runtime", 0o700)
        self.environment = {**os.environ, "DATAHUB_SHM_DIR": self.shm,
                            "DATAHUB_RUNTIME_DIR": f"{self.home}/runtime",
                            "PYTHONDONTWRITEBYTECODE": "1"}
        self.running = []

    def start(self, command, **options):
        print(command, flush=True)
        command = command.split() if isinstance(command, str) else command
        process = subprocess.Popen(command, env=self.environment, text=True,
                                   stdin=subprocess.DEVNULL, **options)
        self.running.append(process)
        return process

    def finish(self, *processes):
        for process in processes:
            assert process.wait(LIMIT) == 0, process.args

    def consumers(self):
        """How many there are; -1: there is no block."""
        run = subprocess.run([os.environ["DATAHUB_COMMAND"], "list", "--json"],
                             env=self.environment, capture_output=True,
                             text=True, check=True)
        blocks = json.loads(run.stdout)["blocks"]
        return blocks[0]["consumers"] if blocks else -1

    def wait_for_consumers(self, number):
        wait_for(lambda: self.consumers() == number, f"{number} consumers")

    def close(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        remove_folder(self.shm)
        remove_folder(self.home)


def player(box):
    need(shutil.which("gst-play-1.0"), "gst-play-1.0")
    play = box.start(commands("gst-play-1.0")[0]
                     + " --no-interactive --videosink=fakevideosink",
                     stdout=subprocess.PIPE)
    camera = box.start(CAMERA.format(f"num-buffers={FRAMES}",
                                     "wait-for-consumers=1"))
    text = play.communicate(timeout=LIMIT)[0]
    box.finish(play, camera)
    assert "end of play list" in text and "ERROR" not in text, text


def h264(box):
    camera, record = commands("gst-launch-1.0")
    camera = camera.replace("videotestsrc",
                            f"videotestsrc num-buffers={FRAMES}")
    target = f"{box.home}/cam0.mp4"
    assert "/tmp/cam0-h264.mp4" in record
    box.finish(box.start(record.replace("/tmp/cam0-h264.mp4", target)),
               box.start(camera + " wait-for-consumers=1"))
    count = subprocess.run([MEDIA_CHECK, "count", target], text=True,
                           capture_output=True, check=True)
    assert count.stdout.split()[0] == str(FRAMES), count.stdout


def python(box):
    need_bindings("Gst")
    folder = EXAMPLES / "python-elements"
    look = box.start([PYTHON, folder / "look.py", "cam0", "--count", "5"],
                     stdout=subprocess.PIPE)
    draw = box.start([PYTHON, folder / "draw.py", "cam0", "--count", "90"])
    lines = look.communicate(timeout=LIMIT)[0].splitlines()
    box.finish(look, draw)
    # The mean of a dark picture with a bar on a sixteenth of it.
    assert 1 <= len(lines) <= 5, lines
    assert {line.split()[-1] for line in lines} == {"50.44"}, lines
    bad = box.start([PYTHON, folder / "look.py", "a/b"],
                    stderr=subprocess.PIPE)
    assert "not allowed" in bad.communicate(timeout=LIMIT)[1]
    assert bad.returncode == 1


def grey_rows(picture, width):
    """The rows of a picture file, each as bytes."""
    raw = f"{picture}.raw"
    subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={picture}", "!",
                    "pngdec", "!", "videoconvert", "!", "video/x-raw,format=GRAY8",
                    "!", "filesink", f"location={raw}"], check=True)
    data = pathlib.Path(raw).read_bytes()
    return [data[at:at + width] for at in range(0, len(data), width)]


def analytics(box):
    """The region that comes back is a box around the ball, as wide as that."""
    need_bindings("GstVideo")
    folder = EXAMPLES / "analytics"
    picture = f"{box.home}/seen.png"
    draw = box.start([PYTHON, folder / "overlay.py", "cam0-seen", "--png", picture])
    detect = box.start([PYTHON, folder / "detect.py", "cam0", "cam0-seen"])
    box.start(CAMERA.format("", ""))
    box.finish(draw)
    bright = [[x for x, value in enumerate(row) if value > 128]
              for row in grey_rows(picture, 320)]
    columns = sorted({x for row in bright for x in row})
    rows = [y for y, row in enumerate(bright) if row]
    across = list(range(columns[0], columns[-1] + 1))
    assert len(rows) > 10 and len(across) > 10, (rows, across)
    assert rows == list(range(rows[0], rows[-1] + 1)), rows
    # A ball alone has few bright pixels in its first and last row.
    assert bright[rows[0]] == bright[rows[-1]] == across, bright[rows[0]]
    assert all({across[0], across[-1]} <= set(bright[y]) for y in rows)
    detect.send_signal(signal.SIGINT)
    box.finish(detect)


def copied_after(box, buffers):
    """The copies of the block `dark` when it had so many buffers."""
    block = {"buffers": 0}

    def look():
        run = subprocess.run(
            [os.environ["DATAHUB_COMMAND"], "inspect", "dark", "--json"],
            env=box.environment, capture_output=True, text=True, check=True)
        block.update(json.loads(run.stdout))
        return block["buffers"] >= buffers

    wait_for(look, f"{buffers} buffers")
    return block["copied"]


def app_filter(box):
    """White comes out black, in place: nothing is copied on the way out."""
    raw = f"{box.home}/frame.raw"
    see = box.start("gst-launch-1.0 -q datahubsrc datablock=dark num-buffers=1 "
                    f"! filesink location={raw}")
    program = box.start([os.environ["APP_FILTER"], "cam0", "dark"])
    box.start(CAMERA.format("", "").replace("ball", "white"))
    box.finish(see)
    luma = pathlib.Path(raw).read_bytes()[:320 * 240]
    assert set(luma) == {255 - 235}, set(luma)
    # Before the first caps came there was no block, and so no slot.
    copied = copied_after(box, 15)
    assert copied_after(box, 45) == copied
    program.send_signal(signal.SIGINT)
    box.finish(program)
    bad = box.start([os.environ["APP_FILTER"], "a/b", "dark"], stderr=subprocess.PIPE)
    assert "not allowed" in bad.communicate(timeout=LIMIT)[1]
    assert bad.returncode == 1


def heard(box, wanted):
    """The next message of the service has that line."""
    lines = box.recv(4096).decode().split("\n")
    assert wanted in lines, lines


def unit_pipeline(name):
    """The arguments of watched.py in a unit, of the camera with a test picture."""
    text = (EXAMPLES / "systemd" / name).read_text()
    words = re.search(r"^ExecStart=\S+/watched.py (.*)$", text, re.M)[1]
    return words.replace("v4l2src device=/dev/video0", "videotestsrc is-live=true")


def systemd(box):
    """What systemd gets to hear while the camera of a camera works, stands and works."""
    need_bindings("Gst")
    folder = EXAMPLES / "systemd"
    if shutil.which("systemd-analyze"):
        for unit in folder.glob("*.service"):
            text = unit.read_text().replace("%h/datahub/watched.py", "/bin/true")
            pathlib.Path(box.home, unit.name).write_text(text)
        run = subprocess.run(["systemd-analyze", "--user", "verify",
                              *pathlib.Path(box.home).glob("*.service")],
                             env={**box.environment, "XDG_RUNTIME_DIR": box.home},
                             capture_output=True, text=True)
        assert not run.returncode and "ignoring" not in run.stderr, run.stderr
    words = unit_pipeline("datahub-camera.service").replace(
        "videotestsrc is-live=true", "datahubsrc datablock=driver").split()
    driver = box.start(CAMERA.format("", "").replace("cam0", "driver"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd_end:
        systemd_end.bind(f"{box.home}/notify")
        systemd_end.settimeout(LIMIT)
        box.environment.update(NOTIFY_SOCKET=f"{box.home}/notify",
                               WATCHDOG_USEC="400000")
        camera = box.start([PYTHON, folder / "watched.py", *words])
        heard(systemd_end, "READY=1")
        heard(systemd_end, "WATCHDOG=1")
        driver.send_signal(signal.SIGSTOP)
        systemd_end.settimeout(5)  # WATCHDOG_USEC is over then
        try:
            for _ in range(100):
                heard(systemd_end, "WATCHDOG=1")
            raise AssertionError("it goes on without pictures")
        except TimeoutError:
            pass
        driver.send_signal(signal.SIGCONT)
        systemd_end.settimeout(LIMIT)
        heard(systemd_end, "WATCHDOG=1")
        camera.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in systemd_end.recv(4096).decode():
            pass
        box.finish(camera)
    del box.environment["NOTIFY_SOCKET"]
    box.start(CAMERA.format("", ""))
    preview = unit_pipeline("datahub-preview.service").replace("%t", box.home)
    box.start([PYTHON, folder / "watched.py", *preview.split()])
    wait_for(lambda: os.path.exists(f"{box.home}/cam0.jpg"), "a picture")


def browser(box):
    box.start(CAMERA.format("", ""))
    box.wait_for_consumers(0)
    server = box.start([EXAMPLES / "browser" / "serve.py", "--port", "0"],
                       stdout=subprocess.PIPE)
    port = int(re.search(r":(\d+)/", first_line(server))[1])
    refused = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    refused.request("GET", "/a/b")
    assert refused.getresponse().status == 404
    for _ in range(2):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        client.request("GET", "/cam0")
        answer = client.getresponse()
        assert "boundary=frame" in answer.headers["Content-Type"]
        data = b""
        while data.count(b"\xff\xd8\xff") < 3:  # the start of a JPEG picture
            part = answer.read(4096)
            assert part, "the stream ended"
            data += part
        assert data.startswith(b"--frame\r\n") or b"\r\n--frame\r\n" in data
        box.wait_for_consumers(1)
        answer.close()
        client.close()
        box.wait_for_consumers(0)


    # A pipeline that still waits for its block ends with its browser, too.
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    client.request("GET", "/none")
    answer = client.getresponse()
    wait_for(lambda: children(server), "a pipeline")
    answer.close()
    client.close()
    wait_for(lambda: not children(server), "the end of the pipeline")


def rtsp(box):
    need_bindings("GstRtspServer")
    box.start(CAMERA.format("", ""))
    box.wait_for_consumers(0)
    server = box.start([PYTHON, EXAMPLES / "rtsp" / "serve.py", "--port", "0",
                        "cam0"], stdout=subprocess.PIPE)
    where = first_line(server).strip()
    box.finish(box.start(
        f"gst-launch-1.0 -q rtspsrc location={where} protocols=tcp "
        "! rtph264depay ! h264parse ! avdec_h264 ! identity eos-after=10 "
        "! fakesink"))
    box.wait_for_consumers(0)


def main():
    box = Sandbox()
    try:
        {"player": player, "h264": h264, "python": python, "analytics": analytics,
         "app-filter": app_filter, "systemd": systemd,
         "browser": browser, "rtsp": rtsp}[CASE](box)
    finally:
        box.close()


main()
