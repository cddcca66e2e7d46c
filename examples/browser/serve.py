#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows blocks in a web browser, as MJPEG: http://127.0.0.1:8080/NAME.
./serve.py [--port PORT]
Each browser gets a pipeline of its own, a live consumer that ends with it."""
import argparse
import http.server
import re
import signal
import socket
import subprocess

NAME = re.compile(r"/([A-Za-z0-9][A-Za-z0-9._-]{0,63})")


class Handler(http.server.BaseHTTPRequestHandler):
    running = set()  # the pipelines of all browsers

    def do_GET(self):
        match = NAME.fullmatch(self.path)
        if not match:
            self.send_error(404, "The path is the name of a block: /cam0")
            return
        self.send_response(200)
        self.send_header("Content-Type",
                         "multipart/x-mixed-replace; boundary=frame")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.flush()
        self.stream(match[1])
        self.close_connection = True

    def stream(self, name):
        """Runs the pipeline until the browser is gone or the stream ends."""
        pipeline = (f"datahubsrc datablock={name} consumer-name=browser "
                    "on-disconnect=eos ! videorate drop-only=true "
                    "max-rate=15 ! videoconvert ! jpegenc "
                    "! multipartmux boundary=frame ! fdsink fd=1 sync=false")
        process = subprocess.Popen(["gst-launch-1.0", "-q",
                                    *pipeline.split()],
                                   stdin=subprocess.DEVNULL,
                                   stdout=self.connection)
        self.running.add(process)
        while process.poll() is None and not self.is_gone():
            pass
        process.terminate()
        process.wait()
        self.running.discard(process)

    def is_gone(self):
        """Whether the browser closes the connection within half a second."""
        self.connection.settimeout(0.5)
        try:
            return self.connection.recv(4096) == b""
        except socket.timeout:
            return False
        except OSError:
            return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", arguments.port),
                                             Handler)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"http://127.0.0.1:{server.server_port}/NAME", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        for process in list(Handler.running):
            process.terminate()


main()
