# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pairs of elements that carry a stream from one pipeline to another."""
import dataclasses


@dataclasses.dataclass
class Transport:
    """{dir} in the texts is a folder of the run. caps: the consumer must be
    given the caps, because they do not cross."""
    name: str
    sink: str
    src: str
    caps: bool = False
    limits: str = ""  # what makes its memory smaller than a frame
    one_process: bool = False

    @property
    def elements(self):
        return self.sink.split()[0], self.src.split()[0]


TRANSPORTS = [
    Transport("datahub", "datahubsink name=sink datablock=peer",
              "datahubsrc name=src datablock=peer", limits="slot-size=4096"),
    Transport("shm", "shmsink name=sink socket-path={dir}/peer "
              "wait-for-connection=false",
              "shmsrc name=src socket-path={dir}/peer is-live=true", caps=True,
              limits="shm-size=1000000"),
    Transport("unixfd", "unixfdsink name=sink socket-path={dir}/peer",
              "unixfdsrc name=src socket-path={dir}/peer"),
    Transport("inter", "intervideosink name=sink channel=peer",
              "intervideosrc name=src channel=peer", caps=True,
              one_process=True),
    Transport("interpipe", "interpipesink name=peer sync=true",
              "interpipesrc name=src listen-to=peer is-live=true "
              "stream-sync=compensate-ts", one_process=True),
]
