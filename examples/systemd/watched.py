#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a pipeline as a service that systemd watches: ./watched.py PIPELINE...
The service is ready with the first buffer of its datahubsink or datahubsrc, and alive
as long as more come."""
import os
import signal
import socket
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

COUNTED = {"datahubsink": "buffers", "datahubsrc": "received"}


def notify(text):
    """A message to systemd; without it, nothing."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect(address)
        to.sendall(text.encode())


class Service:
    def __init__(self, description):
        self.pipeline = Gst.parse_launch(description)
        self.loop = GLib.MainLoop()
        self.seen, self.ready, self.status = 0, False, 0
        self.counted = [element for element in self.elements()
                        if element.get_factory().get_name() in COUNTED]
        if not self.counted:
            raise SystemExit("watched: no datahubsink and no datahubsrc")

    def elements(self):
        iterator = self.pipeline.iterate_recurse()
        while True:
            result, element = iterator.next()
            if result != Gst.IteratorResult.OK:
                return
            yield element

    def count(self):
        return sum(element.get_property("stats").get_value(
            COUNTED[element.get_factory().get_name()])
            for element in self.counted)

    def look(self):
        count = self.count()
        if count > self.seen:
            notify("WATCHDOG=1" if self.ready else "READY=1\nWATCHDOG=1")
            self.ready = True
        self.seen = count
        return GLib.SOURCE_CONTINUE

    def on_message(self, _bus, message):
        if message.type == Gst.MessageType.ERROR:
            print(f"watched: {message.parse_error()[0].message}", file=sys.stderr)
            self.status = 1
            self.loop.quit()
        elif message.type == Gst.MessageType.EOS:
            self.loop.quit()

    def run(self):
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.on_message)
        # systemd.service(5) advises half of the time that it waits.
        interval = int(os.environ.get("WATCHDOG_USEC", 2000000)) // 2000
        GLib.timeout_add(max(interval, 1), self.look)
        for number in (signal.SIGINT, signal.SIGTERM):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, self.loop.quit)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        notify("STOPPING=1")
        self.pipeline.set_state(Gst.State.NULL)
        return self.status


Gst.init(None)
if len(sys.argv) < 2:
    raise SystemExit("usage: watched.py PIPELINE...")
sys.exit(Service(" ".join(sys.argv[1:])).run())
