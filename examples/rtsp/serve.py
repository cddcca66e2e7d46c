#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serves blocks of raw video over RTSP, as H.264: rtsp://127.0.0.1:8554/NAME.
./serve.py [--port PORT] NAME...
The pipeline of a name runs while a player is connected, and is shared."""
import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PIPELINE = ("( datahubsrc datablock={} consumer-name=rtsp ! videoconvert "
            "! video/x-raw,format=I420 ! x264enc tune=zerolatency "
            "speed-preset=veryfast key-int-max=30 "
            "! rtph264pay name=pay0 config-interval=-1 )")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", default="8554")
    parser.add_argument("names", nargs="+", metavar="NAME")
    arguments = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments.port)
    for name in arguments.names:
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(PIPELINE.format(name))
        factory.set_shared(True)
        server.get_mount_points().add_factory("/" + name, factory)
    if server.attach(None) == 0:
        raise SystemExit(f"port {arguments.port} cannot be used")
    for name in arguments.names:
        print(f"rtsp://127.0.0.1:{server.get_bound_port()}/{name}", flush=True)
    try:
        GLib.MainLoop().run()
    except KeyboardInterrupt:
        pass


main()
