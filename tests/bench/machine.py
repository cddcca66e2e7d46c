# SPDX-License-Identifier: LGPL-2.1-or-later
"""Facts of the machine that belong to a result."""
import os
import platform
import re
import shutil
import subprocess


def output_of(*command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=60)
    except OSError:
        return ""
    return done.stdout


def found_in(pattern, text, otherwise=""):
    match = re.search(pattern, text)
    return match[1].strip() if match else otherwise


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def build_options(build):
    text = output_of("meson", "introspect", "--buildoptions", build)
    return found_in(r'"name": "buildtype", "value": "(\w+)"', text)


def facts(build, root):
    disk = shutil.disk_usage("/dev/shm")
    versions = {
        "gstreamer": found_in(r"version ([\d.]+)",
                              output_of("gst-launch-1.0", "--version")),
        "zmq": output_of("pkg-config", "--modversion", "libzmq").strip(),
        "iceoryx": found_in(r"Version: (\S+)",
                            output_of("dpkg", "-s", "libiceoryx-posh2")),
        "python": platform.python_version(),
        "datahub": output_of("git", "-C", root, "describe", "--always",
                             "--dirty").strip()}
    return {
        "processor": found_in(r"model name\s*:\s*(.*)", read("/proc/cpuinfo")),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        >> 20,
        "shm_mib": disk.total >> 20,
        "kernel": platform.release(),
        "system": found_in(r'PRETTY_NAME="(.*)"', read("/etc/os-release")),
        "build": build_options(build),
        "load": [round(value, 2) for value in os.getloadavg()],
        "versions": {name: v for name, v in versions.items() if v}}
