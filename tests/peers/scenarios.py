# SPDX-License-Identifier: LGPL-2.1-or-later
"""What users of such elements have reported as failures. Each scenario returns a
text about what is wrong, or None."""
import os
import signal
import time

FRAME = "video/x-raw,format=I420,width=160,height=120,framerate=50/1"
CAMERA = f"videotestsrc is-live=true pattern=ball ! {FRAME}"
RECEIVED = "buffer\tshow-got"
SENT = "buffer\tshow-sent"
SECONDS = 6  # that anything here may take
SCENARIOS = []


def scenario(about, two_processes=True):
    def add(function):
        SCENARIOS.append((function.__name__.replace("_", "-"), about,
                          function, two_processes))
        return function
    return add


def times(witness, prefix=RECEIVED):
    """The PTS of the buffers, with None for those that have none."""
    words = [line.split("\t")[2] for line in list(witness.lines)
             if line.startswith(prefix)]
    return [None if word == "-" else int(word) for word in words]


@scenario("a consumer that starts before its producer gets frames")
def consumer_first(run):
    consumer = run.consumer(FRAME)
    consumer.wait_for("started")
    run.producer(CAMERA)
    return run.gets(consumer, 10)


@scenario("a consumer that joins later gets the caps with the frames")
def caps_cross(run):
    run.producer(CAMERA).wait_for(SENT, 5)
    consumer = run.consumer("")
    return run.gets(consumer, 10) or (
        None if any("event\tshow-got\tcaps\tvideo/x-raw" in line
                    for line in consumer.lines) else "no caps came")


@scenario("a change of format in the stream is followed", False)
def caps_change(run):
    small, big = ("videotestsrc is-live=true num-buffers=50 ! "
                  + FRAME.replace("160", width) for width in ("160", "320"))
    producer = run.producer(f"concat name=c ! {{}} {small} ! c. {big} ! c.",
                            caps="")
    producer.wait_for(SENT, 2)
    consumer = run.consumer("")
    producer.wait_for("event\tshow-sent\teos", unless=consumer)
    run.settle(consumer)
    sizes = {line.split("\t")[8] for line in consumer.lines
             if line.startswith(RECEIVED)}
    caps = [line for line in consumer.lines
            if line.startswith("event\tshow-got\tcaps")]
    if len(sizes) < 2:
        return "frames of one size came"
    return None if len(caps) == 2 else f"{len(caps)} caps for two formats"


@scenario("a frame that is bigger than what was reserved arrives", False)
def bigger_frame(run):
    frame = "video/x-raw,format=I420,width=1920,height=1080,framerate=10/1"
    run.producer(f"videotestsrc is-live=true ! {frame}",
                 run.transport.limits, frame).wait_for(SENT)
    return run.gets(run.consumer(frame), 3)


@scenario("the consumer goes on when its killed producer is started again")
def producer_restart(run):
    first = run.producer(CAMERA)
    first.wait_for(SENT, 2)
    consumer = run.consumer(FRAME)
    wrong = run.gets(consumer, 5)
    if wrong:
        return wrong
    run.kill(first)
    run.producer(CAMERA)
    return run.gets(consumer, len(times(consumer)) + 10)


@scenario("a producer gets the name of one that was killed")
def name_after_kill(run):
    first = run.producer(CAMERA)
    first.wait_for(SENT, 2)
    run.kill(first)
    second = run.producer(CAMERA)
    second.wait_for(SENT, 2)
    return run.gets(run.consumer(FRAME), 5)


@scenario("a killed producer leaves nothing behind its next one")
def nothing_left(run):
    before = run.files()
    first = run.producer(CAMERA)
    first.wait_for(SENT, 2)
    run.kill(first)
    second = run.producer(CAMERA)
    second.wait_for(SENT, 2)
    second.command("stop")
    second.finish()
    left = sorted(run.files() - before)
    return f"{len(left)} files are left: {left[0]}" if left else None


@scenario("the producer and other consumers go on when a consumer is killed")
def consumer_killed(run):
    producer = run.producer(CAMERA)
    producer.wait_for(SENT, 2)
    consumers = [run.consumer(FRAME) for _ in range(2)]
    for consumer in consumers:
        wrong = run.gets(consumer, 5)
        if wrong:
            return wrong
    run.kill(consumers[0])
    return run.gets(consumers[1], len(times(consumers[1])) + 25)


@scenario("a stopped consumer (SIGSTOP) neither slows the producer nor keeps "
          "it from stopping")
def consumer_stopped(run):
    producer = run.producer(CAMERA.replace("50/1", "500/1"))
    producer.wait_for(SENT, 2)
    consumer = run.consumer(FRAME.replace("50/1", "500/1"))
    wrong = run.gets(consumer, 5)
    if wrong:
        return wrong
    consumer.process.send_signal(signal.SIGSTOP)
    seen = len(times(producer, SENT))
    if not run.reaches(producer, SENT, seen + 1500):
        return f"{len(times(producer, SENT)) - seen} of 1500 frames in time"
    producer.command("stop")
    return None if run.ends(producer) else "the producer does not stop"


@scenario("a slow consumer does not slow another one")
def slow_beside_fast(run):
    producer = run.producer(CAMERA)
    producer.wait_for(SENT, 2)
    slow = run.consumer(FRAME + " ! identity sleep-time=500000 ! identity")
    fast = run.consumer(FRAME)
    wrong = run.gets(slow, 1) or run.gets(fast, 1)
    if wrong:
        return wrong
    start, seen = time.monotonic(), len(times(fast))
    if not run.reaches(fast, RECEIVED, seen + 100):
        return f"the fast one got {len(times(fast)) - seen} frames of 100"
    took = time.monotonic() - start
    return None if took < 4 else f"100 frames took {took:.1f} s instead of 2"


@scenario("timestamps keep their distances in another pipeline", False)
def timestamps(run):
    run.producer(CAMERA).wait_for(SENT, 10)
    consumer = run.consumer(FRAME)
    wrong = run.gets(consumer, 40)
    if wrong:
        return wrong
    got = times(consumer)[10:40]
    if None in got:
        return "buffers have no timestamps"
    steps = {round((b - a) / 1e6) for a, b in zip(got, got[1:])}
    return None if all(step % 20 in (0, 1, 19) and step > 0
                       for step in steps) else f"steps of {sorted(steps)} ms"


@scenario("tags arrive", False)
def tags(run):
    run.producer(CAMERA + " ! taginject tags=\"title=peer\" ! identity") \
        .wait_for(SENT, 5)
    consumer = run.consumer(FRAME)
    return run.gets(consumer, 10) or (
        None if any("show-got\ttag" in line and "peer" in line
                    for line in consumer.lines) else "no tag came")


@scenario("metadata of frames (time codes) arrives", False)
def metas(run):
    run.producer(CAMERA + " ! timecodestamper").wait_for(SENT, 5)
    consumer = run.consumer(FRAME)
    return run.gets(consumer, 10) or (
        None if any("TimeCode" in line for line in consumer.lines
                    if line.startswith(RECEIVED)) else "no time code came")


@scenario("EOS arrives as EOS, without an error at either end", False)
def eos(run):
    producer = run.producer(CAMERA)
    producer.wait_for(SENT, 5)
    consumer = run.consumer(FRAME)
    wrong = run.gets(consumer, 5)
    if wrong:
        return wrong
    producer.command("eos")
    if not run.ends(producer):
        return "the producer does not end"
    if not run.ends(consumer):
        return "the consumer does not end"
    return None if not run.errors(producer) + run.errors(consumer) \
        and "eos" in consumer.lines else (
        run.errors(producer) + run.errors(consumer) or ["no EOS"])[0]


@scenario("a consumer that comes after EOS gets EOS")
def eos_to_late_joiner(run):
    run.producer(CAMERA.replace("is-live=true", "is-live=true num-buffers=20")
                 + " ! {} fakesrc is-live=true ! fakesink").wait_for(
                     "event\tshow-sent\teos")
    consumer = run.consumer(FRAME)
    if not run.ends(consumer):
        return "the consumer does not end"
    return None if "eos" in consumer.lines else \
        (run.errors(consumer) or ["no EOS"])[0]


@scenario("a late consumer can demultiplex a stream of Matroska")
def container_header(run):
    run.producer(f"{CAMERA} ! jpegenc ! matroskamux streamable=true") \
        .wait_for(SENT, 20)
    consumer = run.consumer("", "matroskademux ! jpegdec")
    return run.gets(consumer, 10)


@scenario("a late consumer of H.264 gets a key frame at once")
def key_frame(run):
    h264 = "video/x-h264,stream-format=byte-stream,alignment=au"
    run.producer(f"{CAMERA} ! x264enc tune=zerolatency key-int-max=100000 "
                 f"speed-preset=ultrafast ! {h264}").wait_for(SENT, 60)
    consumer = run.consumer(h264, "h264parse ! avdec_h264 max-threads=1")
    return run.gets(consumer, 10)


def shared_memory():
    return {f"/dev/shm/{name}" for name in os.listdir("/dev/shm")
            if name.startswith("shmpipe")}
