#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recipes of docs/containers.md: containers.py BUILD CHILD DATAHUB [PATTERN], or
containers.py --page

A row of ROWS is a recipe, or a mistake in one. Containers and services are made
with unshare(1) and mount(8): a place is what a container runtime or systemd prepares
before it starts a program. BUILD is the build folder, CHILD and DATAHUB are the paths of
pipeline-child and of the command within it. A row with PATTERN in its name runs. The
output is TAP.

--page only compares the page and the rows: each heading of a recipe has a row, and
each message of its table is expected by a row, and the other way round."""
import concurrent.futures
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "containers.md"
INSIDE = "DATAHUB_TEST_INSIDE"  # set in the mount namespace of the test
MACHINE = pathlib.Path("/mnt")  # a file system of the test's namespace
LIMIT_S = 30 * int(os.environ.get("CHECK_SCALE", 1))
WORKERS = 4

# No videotestsrc: its code generator needs a directory from which it may execute.
PRODUCER = ("fakesrc num-buffers=-1 sizetype=fixed sizemax={size} filltype=zero"
            " format=time ! application/x-containers"
            " ! identity sleep-time=20000"
            " ! datahubsink datablock=cam0 sync=false {sink}")
CONSUMER = ("datahubsrc datablock=cam0 num-buffers=3 {source}"
            " ! fakesink name=show async=false")

# fresh DIR [SIZE]: a file system in memory; share FROM TO: a bind mount; $V is the
# folder of the row.
FUNCTIONS = """set -e
fresh() { mount -t tmpfs -o "mode=1777,size=${2:-64m}" none "$1"; }
share() { mkdir -p "$2"; mount --bind "$1" "$2"; }
readonly_() { mount -o remount,bind,ro "$1"; }
"""

CONTAINER = ("--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc",
             "--ipc", "--uts", "--net")
SERVICE = ("--mount",)
# What a new container has of its own: /dev/shm with 64 MiB, and empty folders.
AS_ROOT = "--map-root-user"
IMAGE = "fresh /dev/shm; fresh /tmp; fresh /var/tmp; fresh /run; "


class Place:
    """The surroundings of a process: namespaces, shell lines that prepare them, the
    user, the option of unshare(1) for its number in a user namespace, and the
    environment."""

    def __init__(self, lines="", spaces=SERVICE, user=0, inside=None, **env):
        self.lines, self.spaces, self.user = lines, spaces, user
        self.inside, self.env = inside, env

    def command(self, folder, program):
        """A user without privileges makes a container in a user namespace of its own;
        systemd and bubblewrap prepare the place, and enter one at the end."""
        become = ("setpriv", f"--reuid={self.user}", f"--regid={self.user}",
                  "--clear-groups") if self.user else ()
        spaces = ("--user", self.inside) if self.inside else ()
        variables = ["env", *(f"{name}={value.replace('$V', str(folder))}"
                              for name, value in self.env.items())]
        if self.inside == AS_ROOT:
            first = [*become, "unshare", *spaces, *self.spaces]
            last = program
        else:
            first = ["unshare", *self.spaces]
            last = [*become, *(("unshare", *spaces) if spaces else ()), *program]
        script = (FUNCTIONS + f"V={folder}\n" + self.lines + "\nexec "
                  + shlex.join([*variables, *last]))
        return [*first, "sh", "-c", script]


def container(lines="", **more):
    """As Docker, Podman and Kubernetes make one."""
    return Place(IMAGE + lines, CONTAINER, **more)


def service(lines="", **more):
    """As systemd starts one: it sees the machine, here that of the row."""
    return Place("share $V/shm /dev/shm; share $V/run /run; share $V/tmp /tmp; "
                 + lines, SERVICE, **more)


MESSAGES = {
    "no-producer": 'No producer of the DataBlock "…" appeared within … s.',
    "not-shared": 'The DataBlock "…" has a producer that the broker at … knows, but '
                  'it is not in … as this process sees it.',
    "not-introduced": 'The DataBlock "…" is strict and has a producer, …, but the '
                      'broker at … does not know it, so it introduces no consumer.',
    "foreign": 'The DataBlock "…" belongs to user … and does not admit this user '
               '(…).',
    "taken": 'The name of the DataBlock "…" is taken by a file of user …, which is '
             'not a block of this user (…): …',
    "busy": 'Another producer, …, has the DataBlock "…".',
    "read-only": 'The DataBlock "…" may not be opened: … is mounted read-only for '
                 'this process.',
    "no-files-read-only": 'Cannot create files in the shared memory directory …: '
                          'Read-only file system. Mount it writable for this process',
    "no-files-denied": 'Cannot create files in the shared memory directory …: '
                       'Permission denied. Set DATAHUB_SHM_DIR to a directory on a '
                       'tmpfs in which this user may create files.',
    "no-files-kind": 'Cannot create files in the shared memory directory …: Operation not '
                     'supported. Set DATAHUB_SHM_DIR to a directory on a tmpfs',
    "no-directory": 'Cannot open the shared memory directory …: No such file or '
                    'directory.',
    "no-space": 'Not enough shared memory for the …: … MiB wanted',
    "no-broker": 'The stream has no broker; on this machine it can still be read by '
                 'name: cannot create runtime directory …',
    "runtime-foreign": 'runtime directory … belongs to user …, not to you (…)',
    "runtime-open": 'runtime directory … has mode …: others can enter it',
    "renewed": 'The files of the DataBlock "…" were removed by another program. The '
               'stream goes on in a new block.',
    "broker-anew": 'another program removed …: the broker ends, and one begins that '
                   'new clients find',
    "key-link": 'key file … is a symbolic link; use the path of the file itself',
    "key-open": 'secret key file … has mode …: others can read it',
    "doctor-not-shared": 'The broker at … knows a producer of the block …, process … '
                         'by its own number, but the block is not in … as this '
                         'process sees it.',
    "doctor-no-runtime": 'no broker answers at …, and none can start: runtime directory … '
                         'does not exist and cannot be created: …',
    "doctor-sticky": 'Any user can remove files of other users in ….',
    "doctor-small": '… is small: it has …, of which … are free.',
    "doctor-no-directory": 'The shared memory directory … does not exist. -> mount -t '
                           'tmpfs -o mode=1777 tmpfs …; or, within a tmpfs, mkdir -m '
                           '700 …; or set DATAHUB_SHM_DIR.',
    "doctor-read-only": '… is not writable: Read-only file system. -> Consumers write to '
                        'their own rows there, too. Mount it writable',
}

# Of the elements' messages; 15 is NOT_AUTHORIZED.
CODES = dict.fromkeys(("foreign", "read-only", "no-files-read-only", "no-files-denied"),
                      "gst-resource-error-quark 15 ")

# Of the row: the machine's /dev/shm, /run and /tmp.
HOST = ("mkdir -p shm run tmp; chmod 1777 shm tmp; fresh shm 512m; "
        "mkdir -p run/user; ")
DATA = "data"
STRICT = "strict=true"
USER = 1000
VOLUME = {"DATAHUB_SHM_DIR": "/run/datahub",
          "DATAHUB_RUNTIME_DIR": "/run/datahub/broker"}
RUNTIME = {"DATAHUB_RUNTIME_DIR": "/run/datahub"}


class Row:
    """expect: pairs of a process (producer, second, consumer, doctor) and a key of
    MESSAGES; DATA alone is what the consumer gets. act: shell lines on the machine, when
    data flows and before the consumer starts. broker: the place of a broker with an
    allow-list, which serves tcp at PORT."""

    def __init__(self, recipe, name, producer, consumer, *expect, setup=HOST,
                 sink="", source="", act="", size=4096, broker=None):
        self.recipe, self.name = recipe, name
        self.producer, self.consumer, self.expect = producer, consumer, expect
        self.setup, self.sink, self.source = setup, sink, source
        self.act, self.size, self.broker = act, size, broker

    def places(self):
        return [place for place in (self.producer, self.consumer, self.broker)
                if place]

    def needs_users(self):
        return any(place.user for place in self.places())

    def needs_user_spaces(self):
        return any(place.inside for place in self.places())


def both(place):
    return place, place


LENT = container("share $V/camera /dev/shm; ")
LENDING = HOST + "mkdir camera; fresh camera 512m; "
VOLUMES = HOST + "mkdir volume; fresh volume 512m; "
MOUNTED = "share $V/volume /run/datahub; "
IN_VOLUME = container(MOUNTED, **VOLUME)
POD = HOST + ("mkdir pod run-volume; fresh pod 512m; chmod 0777 pod; "
              "chmod 0777 run-volume; ")
IN_POD = "share $V/pod /dev/shm; share $V/run-volume /run/datahub; "
POD_RUNTIME = {"DATAHUB_RUNTIME_DIR": "/run/datahub/broker"}
ROOTLESS = {"user": USER, "inside": AS_ROOT}
OWNED = f"mkdir -m 700 run/datahub; chown {USER}:{USER} run/datahub; "
UNIT = HOST + OWNED
PRIVATE_TMP = "fresh /tmp; fresh /var/tmp; "
SNAP = "/dev/shm/snap.cam.datahub"
VIEWER = USER + 1
DYNAMIC = 61184  # of the range for DynamicUser=
# Each side has keys of its own, and the broker's public key.
ALLOWED = HOST + f"""
mkdir -m 700 broker camera viewer
$D keygen camera/me; $D keygen viewer/me
cat > clients.json <<END
{{ "clients": [
  {{ "name": "camera", "key": "$(cat camera/me.pub)", "produce": ["cam*"] }},
  {{ "name": "viewer", "key": "$(cat viewer/me.pub)", "consume": ["cam*"] }} ] }}
END
chown -R {USER}:{USER} camera; chown -R {VIEWER}:{VIEWER} viewer
"""
HAND_OUT = f"""
install -o {USER} -m 600 broker/broker.pub camera/broker.pub
install -o {VIEWER} -m 600 broker/broker.pub viewer/broker.pub
"""
BROKER = service(DATAHUB_RUNTIME_DIR="$V/broker")


def keys(who, secret="me.key"):
    return (f"broker=tcp://127.0.0.1:PORT curve-server-key=FOLDER/{who}/broker.pub"
            f" curve-key-file=FOLDER/{who}/{secret}")


ADMITTED = {"setup": ALLOWED, "broker": BROKER,
            "sink": "strict=true shm-mode=0666 " + keys("camera")}

ROWS = [
    Row("Docker: a container that lends its shared memory", "a default block",
        *both(LENT), DATA, setup=LENDING),
    Row("Docker: a container that lends its shared memory", "nothing is shared",
        *both(container()), ("consumer", "no-producer"), setup=LENDING,
        source="timeout=1500000000"),
    Row("Docker: a container that lends its shared memory",
        "two producers of one name", *both(LENT), ("second", "busy"),
        setup=LENDING),
    Row("Docker: one volume", "a default block", *both(IN_VOLUME), DATA,
        setup=VOLUMES),
    Row("Docker: one volume", "a strict block", *both(IN_VOLUME), DATA,
        setup=VOLUMES, sink=STRICT),
    Row("Docker: one volume", "no DATAHUB_SHM_DIR",
        *both(container(MOUNTED, DATAHUB_RUNTIME_DIR="/run/datahub/broker")),
        ("consumer", "not-shared"), ("doctor", "doctor-not-shared"),
        setup=VOLUMES),
    Row("Docker: one volume", "no DATAHUB_RUNTIME_DIR",
        *both(container(MOUNTED, DATAHUB_SHM_DIR="/run/datahub")),
        ("consumer", "not-introduced"), setup=VOLUMES, sink=STRICT),
    Row("Docker: one volume", "the volume itself as runtime directory",
        *both(container(MOUNTED, DATAHUB_SHM_DIR="/run/datahub",
                        DATAHUB_RUNTIME_DIR="/run/datahub")),
        ("doctor", "runtime-open"), setup=VOLUMES),
    Row("Docker: one volume", "a read-only consumer", IN_VOLUME,
        container(MOUNTED + "readonly_ /run/datahub; ", **VOLUME),
        ("consumer", "read-only"), setup=VOLUMES),
    Row("Docker: one volume", "a read-only producer",
        container(MOUNTED + "readonly_ /run/datahub; ", **VOLUME), None,
        ("producer", "no-files-read-only"), ("doctor", "doctor-read-only"),
        setup=VOLUMES),
    Row("Docker: one volume", "a file system of another kind",
        container("mkdir /run/pts; mount -t devpts none /run/pts; ",
                  DATAHUB_SHM_DIR="/run/pts"), None, ("producer", "no-files-kind")),
    Row("Docker: the shared memory of the machine", "a default block",
        container("share $V/shm /dev/shm; "), service(), DATA),
    Row("Docker: the shared memory of the machine", "consumed in a container",
        service(), container("share $V/shm /dev/shm; "), DATA),
    Row("Docker: a read-only container", "a strict block",
        *both(container(MOUNTED + "readonly_ /tmp; readonly_ /var/tmp; "
                        "readonly_ /run; ", **VOLUME)), DATA,
        setup=VOLUMES, sink=STRICT),
    Row("Docker: a read-only container", "no runtime directory",
        *both(container(MOUNTED + "readonly_ /tmp; ",
                        DATAHUB_SHM_DIR="/run/datahub")),
        ("producer", "no-broker"), ("doctor", "doctor-no-runtime"), DATA,
        setup=VOLUMES),
    Row("Podman: containers of one pod", "a strict block",
        *both(container("share $V/camera /dev/shm; share $V/volume /run/datahub; ",
                        DATAHUB_RUNTIME_DIR="/run/datahub/broker", **ROOTLESS)),
        DATA, setup=LENDING + "mkdir volume; fresh volume; ", sink=STRICT),
    Row("Podman: a container and its user", "a default block",
        container("share $V/shm /dev/shm; share $V/run/datahub /run/datahub; ",
                  **RUNTIME, **ROOTLESS),
        service(user=USER, **RUNTIME), DATA, setup=UNIT),
    Row("Podman: a container and its user", "a strict block",
        container("share $V/shm /dev/shm; share $V/run/datahub /run/datahub; ",
                  **RUNTIME, **ROOTLESS),
        service(user=USER, **RUNTIME), DATA, setup=UNIT, sink=STRICT),
    Row("Podman: a container and its user", "consumed in the container",
        service(user=USER, **RUNTIME),
        container("share $V/shm /dev/shm; share $V/run/datahub /run/datahub; ",
                  **RUNTIME, **ROOTLESS), DATA, setup=UNIT, sink=STRICT),
    Row("Podman: a container and its user", "root outside has the name",
        service(), container("share $V/shm /dev/shm; ", **ROOTLESS),
        ("consumer", "taken")),
    Row("Kubernetes: containers of one pod", "a default block",
        *both(container(IN_POD, user=USER, **POD_RUNTIME)), DATA, setup=POD),
    Row("Kubernetes: containers of one pod", "a strict block",
        *both(container(IN_POD, user=USER, **POD_RUNTIME)), DATA, setup=POD,
        sink=STRICT),
    Row("Kubernetes: containers of one pod", "the volume as runtime directory",
        *both(container(IN_POD, user=USER, **RUNTIME)),
        ("doctor", "runtime-foreign"), ("doctor", "doctor-sticky"), setup=POD),
    Row("Kubernetes: containers of one pod", "two users",
        container(IN_POD, user=USER),
        container(IN_POD, user=USER + 1), ("consumer", "foreign"), setup=POD),
    Row("systemd: services of one user", "a strict block",
        *both(service(user=USER, **RUNTIME)), DATA, setup=UNIT, sink=STRICT),
    Row("systemd: services of one user", "the runtime directory was removed",
        *both(service(user=USER, **RUNTIME)), DATA, ("producer", "broker-anew"),
        setup=UNIT + "chmod 1777 run; ", sink=STRICT,
        act="for i in $(seq 600); do [ -S run/datahub/broker.sock ] && break; sleep 0.1; "
        "done; mv run/datahub gone; rm -r gone"),
    Row("systemd: PrivateTmp=", "a strict block",
        *both(service(PRIVATE_TMP, user=USER, **RUNTIME)), DATA, setup=UNIT,
        sink=STRICT),
    Row("systemd: PrivateTmp=", "no runtime directory",
        *both(service(PRIVATE_TMP, user=USER)), ("consumer", "not-introduced"),
        sink=STRICT),
    Row("systemd: PrivateTmp=", "a default block without a runtime directory",
        *both(service(PRIVATE_TMP, user=USER)), DATA),
    Row("systemd: DynamicUser=", "one user stops",
        *both(service(PRIVATE_TMP, user=DYNAMIC, **VOLUME)), DATA,
        setup=HOST + "mkdir -m 700 run/private run/private/datahub; "
        f"chown {DYNAMIC}:{DYNAMIC} run/private/datahub; chmod 711 run/private; "
        "ln -s private/datahub run/datahub; ", sink=STRICT,
        act=f"find shm -uid {DYNAMIC} -delete"),
    Row("systemd: DynamicUser=", "two users",
        *both(service(PRIVATE_TMP, user=DYNAMIC)),
        DATA),
    Row("systemd: RemoveIPC=", "another directory",
        *both(service(user=USER, DATAHUB_SHM_DIR="/run/datahub")), DATA,
        setup=UNIT, act=f"find shm -uid {USER} -delete"),
    Row("systemd: RemoveIPC=", "files in /dev/shm", *both(service(user=USER)),
        ("producer", "renewed"), DATA,
        act=f"find shm -uid {USER} -type f -delete"),
    Row("systemd: PrivateUsers=, ProtectSystem= and others", "a strict block",
        *both(Place("share $V/shm /dev/shm; share $V/run /run; " + PRIVATE_TMP
                    + "mount -o remount,bind,ro /run; "
                    "share $V/run/datahub /run/datahub; ",
                    ("--mount", "--ipc", "--net", "--uts"), user=USER,
                    inside=f"--map-user={USER}", **RUNTIME)), DATA,
        setup=UNIT, sink=STRICT),
    Row("systemd: PrivateUsers=, ProtectSystem= and others", "a small /proc",
        *both(service("mount -t proc -o subset=pid,hidepid=invisible proc /proc; ",
                      user=USER, **RUNTIME)), DATA, setup=UNIT, sink=STRICT),
    Row("Snap: memory of the snap", "a strict block",
        *both(service("share $V/snap /dev/shm; ", user=USER, **RUNTIME)), DATA,
        setup=UNIT + "mkdir snap; fresh snap 512m; ", sink=STRICT),
    Row("Snap: a directory with the name of the snap", "a strict block",
        *both(service(user=USER, DATAHUB_SHM_DIR=SNAP, **RUNTIME)), DATA,
        setup=UNIT + "mkdir -m 700 shm/snap.cam.datahub; "
        f"chown {USER} shm/snap.cam.datahub; chmod 755 shm; ", sink=STRICT),
    Row("Snap: a directory with the name of the snap", "no DATAHUB_SHM_DIR",
        service(user=USER, **RUNTIME), None, ("producer", "no-files-denied"),
        setup=UNIT + "chmod 755 shm; "),
    Row("Snap: a directory with the name of the snap", "no directory",
        service(user=USER, DATAHUB_SHM_DIR=SNAP, **RUNTIME), None,
        ("producer", "no-directory"), ("doctor", "doctor-no-directory"),
        setup=UNIT),
    Row("Flatpak: an application and the machine", "a strict block",
        Place("fresh /tmp; fresh /run; share $V/shm /dev/shm; "
              "share $V/run/datahub /run/datahub; ", CONTAINER, user=USER,
              inside=f"--map-user={USER}", **RUNTIME),
        service(user=USER, **RUNTIME), DATA, setup=UNIT, sink=STRICT),
    Row("Flatpak: an application and the machine", "no device=shm",
        Place("fresh /tmp; fresh /run; fresh /dev/shm; "
              "share $V/run/datahub /run/datahub; ", CONTAINER, user=USER,
              inside=f"--map-user={USER}", **RUNTIME),
        service(user=USER, **RUNTIME), ("consumer", "not-shared"), setup=UNIT),
    Row("Two users: a broker with an allow-list", "a strict block",
        service(user=USER), service(user=VIEWER), DATA, source=keys("viewer"),
        **ADMITTED),
    Row("Two users: a broker with an allow-list", "the key is a link, as in a secret",
        service(user=USER), service(user=VIEWER), ("consumer", "key-link"),
        source=keys("viewer", "link"), act="ln -s me.key viewer/link", **ADMITTED),
    Row("Two users: a broker with an allow-list", "others may read the key",
        service(user=USER), service(user=VIEWER), ("consumer", "key-open"),
        source=keys("viewer"), act="chmod 640 viewer/me.key", **ADMITTED),
    Row("The size of /dev/shm", "big frames in a big one",
        *both(LENT), DATA, setup=LENDING, size=12_000_000),
    Row("The size of /dev/shm", "big frames in 64 MiB", container(), None,
        ("producer", "no-space"), size=80_000_000),
    Row("The size of /dev/shm", "the doctor in a small one",
        *both(container("fresh /dev/shm 8m; ")), ("doctor", "doctor-small")),
]


class Process:
    """A child. A thread of its own collects the output."""

    def __init__(self, command, environment):
        self.text, self.ended = "", False
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace")
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.text += line
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, pattern):
        """Whether it prints this in time. Lines of the command are wrapped."""
        def seen():
            return pattern.search(" ".join(self.text.split()))
        with self.changed:
            self.changed.wait_for(lambda: seen() or self.ended, LIMIT_S)
            return bool(seen())

    def end(self):
        """Waits for the end of one that ends by itself."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended, LIMIT_S)
        self.kill()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join()


def pattern_of(message):
    """… stands for any words. The command repeats a message over its lines."""
    parts = [re.escape(part) for part in message.split("…")]
    return re.compile(".+?".join(parts))


RECEIVED = re.compile(r"(buffer show .*){3}eos")
FLOWS = re.compile(r"\bplaying\b")
SERVES = re.compile(r"event=serving.*tcp://127\.0\.0\.1:(\d+)")


class Machine:
    def __init__(self, build, child, datahub):
        self.ports = {}  # of brokers, by row
        self.child = MACHINE / "build" / child
        self.datahub = MACHINE / "build" / datahub
        self.environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("DATAHUB_", "XDG_"))
            and name not in ("G_DEBUG", "GST_DEBUG")}
        self.environment.update(
            D=str(self.datahub), GST_PLUGIN_PATH=f"{MACHINE}/build/gst", HOME="/",
            LD_LIBRARY_PATH=f"{MACHINE}/build/lib/datahub", LC_ALL="C.UTF-8",
            GST_REGISTRY=f"{MACHINE}/registry.bin")
        (MACHINE / "build").mkdir()
        run("mount", "--bind", build, str(MACHINE / "build"))
        # once for all, for users that cannot write it
        run(str(self.child), "fakesrc num-buffers=1 ! datahubsink broker=none"
            " datablock=registry sync=false",
            env={**self.environment, "DATAHUB_SHM_DIR": str(MACHINE)})
        (MACHINE / "registry.bin").chmod(0o644)

    def start(self, place, folder, *program):
        return Process(place.command(folder, [str(word) for word in program]),
                       self.environment)

    def doctor(self, row, folder, pattern):
        """Looks again until the state is there: the broker learns of a block after
        it flows."""
        end = time.monotonic() + LIMIT_S
        while True:
            doctor = self.start(row.consumer or row.producer, folder, self.datahub, "doctor",
                                "--watch", "0")
            doctor.end()
            text = " ".join(doctor.text.split())
            if pattern.search(text) or time.monotonic() > end:
                return doctor, bool(pattern.search(text))

    def expect(self, row, folder, processes, expected):
        """Returns what is wrong, or nothing."""
        who, message = ("consumer", None) if expected == DATA else expected
        pattern = (pattern_of(CODES.get(message, "") + MESSAGES[message]) if message
                   else RECEIVED)
        if who == "doctor":
            processes[who], found = self.doctor(row, folder, pattern)
        else:
            if who not in processes:
                processes[who] = self.begin(who, row, folder)
            found = processes[who].wait_for(pattern)
        if found:
            return ""
        return f"{who}: no {message or 'data'}: {processes[who].text[-1500:]}"

    def begin(self, who, row, folder):
        line = (CONSUMER.format(source=row.source) if who == "consumer" else
                PRODUCER.format(size=row.size, sink=row.sink))
        place = row.consumer if who == "consumer" else row.producer
        port = self.ports.get(row, "")
        return self.start(place, folder, self.child,
                          line.replace("PORT", port).replace("FOLDER", str(folder)))

    def begin_broker(self, row, folder):
        """Its port is in the line that it prints when it serves."""
        broker = self.start(row.broker, folder, self.datahub, "broker", "-e",
                            "tcp://127.0.0.1:*", "-c", folder / "clients.json")
        if not broker.wait_for(SERVES):
            broker.kill()
            raise RuntimeError(f"no broker: {broker.text}")
        self.ports[row] = SERVES.search(broker.text)[1]
        self.shell(HAND_OUT, folder)
        return broker

    def shell(self, lines, folder):
        run("sh", "-c", FUNCTIONS + lines, cwd=folder, env=self.environment)

    def judge(self, number, row):
        folder = MACHINE / f"row{number}"
        folder.mkdir()
        self.shell(row.setup, folder)
        processes, faults = {}, []
        try:
            if row.broker:
                processes["broker"] = self.begin_broker(row, folder)
            processes["producer"] = self.begin("producer", row, folder)
            if row.consumer and not processes["producer"].wait_for(FLOWS):
                return [f"no stream: {processes['producer'].text[-1500:]}"]
            self.shell(row.act, folder)
            for expected in row.expect:
                fault = self.expect(row, folder, processes, expected)
                faults += [fault] if fault else []
        finally:
            for process in processes.values():
                process.kill()
        return faults


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)}: {done.stderr}")


def works(*command):
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def may(*options):
    return works("unshare", *options, "true")


def enter():
    """Goes on in a mount namespace of its own; one that may not be root becomes it in a
    user namespace. Returns what is missing."""
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    if INSIDE in os.environ:
        if not works("mount", "-t", "tmpfs", "-o", "mode=755", "none", str(MACHINE)):
            return "no file system may be mounted here"
        return "" if may(*CONTAINER) else "containers may not be made here"
    if not MACHINE.is_dir() or not may(*user, "--mount"):
        return "needs root or user namespaces"
    os.environ[INSIDE] = "user" if user else "root"
    os.execvp("unshare", ["unshare", *user, "--mount", sys.executable,
                          *sys.argv])


def skipped(row, users, user_spaces):
    if row.needs_users() and not users:
        return "only root has several users"
    if row.needs_user_spaces() and not user_spaces:
        return "no user namespace may be made here"
    return ""


def report(number, row, faults, why):
    name = f"{row.recipe}: {row.name}"
    if why:
        print(f"ok {number} - {name} # SKIP {why}")
        return
    print(f"{'not ' if faults else ''}ok {number} - {name}")
    for fault in faults:
        print("# " + fault.replace("\n", "\n#   "))
    sys.stdout.flush()


def try_all(missing, rows):
    machine = None if missing else Machine(*sys.argv[1:4])
    failed = False
    print(f"1..{len(rows)}")
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        users = not missing and os.environ[INSIDE] == "root" and all(
            works("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                  "true") for user in (USER, VIEWER, DYNAMIC))
        spaces = users and works("setpriv", f"--reuid={USER}", f"--regid={USER}",
                                 "--clear-groups", "unshare", "--user", AS_ROOT,
                                 *CONTAINER, "true")
        whys = [missing or skipped(row, users, spaces) for row in rows]
        jobs = [None if why else pool.submit(machine.judge, number, row)
                for number, (row, why) in enumerate(zip(rows, whys))]
        for number, (row, job, why) in enumerate(zip(rows, jobs, whys), 1):
            faults = job.result() if job else []
            failed = failed or bool(faults)
            report(number, row, faults, why)
    return failed


def differences():
    """Between the page and the rows."""
    page = PAGE.read_text()
    recipes = set(re.findall(r"^### (.*)$", page, re.M))
    rows = {row.recipe for row in ROWS}
    table = page[page.index("## Messages"):]
    documented = set(re.findall(r"^\| `(.*?)` \|", table, re.M))
    expected = {MESSAGES[e[1]] for row in ROWS for e in row.expect if e != DATA}
    yield from (f"recipe without a row: {name}" for name in recipes - rows)
    yield from (f"row without a recipe: {name}" for name in rows - recipes)
    yield from (f"message without a row: {text}" for text in documented - expected)
    yield from (f"row without a message: {text}" for text in expected - documented)
    yield from (f"message that no row expects: {key}" for key, text
                in MESSAGES.items() if text not in expected)
    yield from (f"recipe without data: {name}" for name in rows if not any(
        DATA in row.expect for row in ROWS if row.recipe == name))


def main():
    if sys.argv[1] == "--page":
        found = sorted(differences())
        print(*found or ["docs/containers.md and the rows agree."], sep="\n")
        sys.exit(bool(found))
    rows = [row for row in ROWS if len(sys.argv) < 5
            or sys.argv[4] in f"{row.recipe}: {row.name}"]
    sys.exit(try_all(enter(), rows))


if __name__ == "__main__":
    main()
