# SPDX-License-Identifier: LGPL-2.1-or-later
"""What differs between the stream that was sent and the one that arrived, and
between the end of a pipeline in one process and in two. Each function yields
(ASPECT, WHAT)."""
import itertools

from observed import DELTA, HEADER

MS = 1_000_000
# Events with a meaning of their own in each process.
OWN = ("stream-start", "caps", "segment", "tag", "latency", "qos", "eos",
       "flush-start", "flush-stop", "instant-rate-sync-time")
STICKY = ("toc", "stream-collection")


def first_difference(aspect, pairs, show=str):
    """(ASPECT, WHAT) of the first pair that differs, with their number."""
    wrong = [(i, a, b) for i, (a, b) in enumerate(pairs) if a != b]
    if wrong:
        i, a, b = wrong[0]
        yield aspect, (f"{len(wrong)} of {len(pairs)} differ, first {i}: "
                       f"{show(a)} became {show(b)}")


# ---- Which buffer is which ----

def leading_headers(sent, got):
    """How many buffers of the stream's header may come before the stream: those
    that the caps name, or, as in MP4, two that the stream begins with. They
    have no time."""
    known = got.header or [buffer.sum for buffer in sent.buffers[:2]]
    most = min(len(got.buffers), len(known))
    count = 0
    while count < most and got.buffers[count].flags & HEADER \
            and got.buffers[count].pts is None \
            and got.buffers[count].sum in known:
        count += 1
    return count


def is_again(sent, got, headers, start):
    """Whether the header was sent again, and is not just how sent goes on."""
    return bool(got.header) or headers == 0 or start == 0 \
        or sent.buffers[start - 1].sum != got.buffers[headers - 1].sum


def tail_of(sent, got, whole):
    """(headers, pairs): got is the end of sent, behind a stream header that is
    sent again; None if it is not."""
    sums = [buffer.sum for buffer in got.buffers]
    most = 0 if whole else leading_headers(sent, got)
    for headers in range(most, -1, -1):
        count = len(sums) - headers
        start = len(sent.buffers) - count
        if start >= 0 and is_again(sent, got, headers, start) \
                and sums[headers:] == [buffer.sum for buffer
                                       in sent.buffers[start:]]:
            return headers, list(zip(sent.buffers[start:],
                                     got.buffers[headers:]))
    return None


def index_of(sent, pairs):
    """Where the pairs begin in sent."""
    return next((i for i, buffer in enumerate(sent.buffers)
                 if pairs and buffer is pairs[0][0]), len(sent.buffers))


def part_of(sent, got, whole):
    """(headers, pairs): got is sent with gaps; None if it is not."""
    most = 0 if whole else leading_headers(sent, got)
    for headers in range(most, -1, -1):
        # From the end: what is equal was more likely sent last.
        rest = reversed(sent.buffers)
        pairs = [(next((each for each in rest if each.sum == buffer.sum), None),
                  buffer) for buffer in reversed(got.buffers[headers:])][::-1]
        if all(each for each, _ in pairs) and is_again(
                sent, got, headers, index_of(sent, pairs)):
            return headers, pairs
    return None


def explain(sent, got):
    a = [buffer.sum for buffer in sent.buffers]
    b = [buffer.sum for buffer in got.buffers]
    same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y),
                min(len(a), len(b)))
    return (f"{len(a)} buffers were sent, {len(b)} arrived; the first {same} "
            f"are equal, {len(set(b) - set(a))} are strange, "
            f"{len(set(a) - set(b))} are missing")


# ---- Times ----

def since(values, start):
    first = next((value for value in values[start:] if value is not None), 0)
    return [None if value is None else value - first for value in values]


def beginning(sent, got):
    """Where times are counted from, for a live consumer that came late, and for
    one that reads another stream as well: behind the buffers that were old when
    it came, which follow each other at once."""
    wrong = [i for i, (a, b) in enumerate(zip(since(sent, -1), since(got, -1)))
             if a is not None and b is not None and abs(a - b) > MS]
    return wrong[-1] + 1 if wrong else 0


def times(aspect, sent, got, exact, flushed=0, late=False):
    """Equal, or equal but for a constant. A flush starts again at zero where
    the pipeline is, and is no flush for consumers."""
    if late and not exact:
        old = beginning(sent, got)
        sent, got = sent[old:], got[old:]
    if not exact:
        sent, got = (since(each[:flushed], 0) + since(each[flushed:], 0)
                     for each in (sent, got))
    pairs = list(zip(sent, got))
    limit = 0 if exact else MS
    near = [(a, a if None not in (a, b) and abs(a - b) <= limit else b)
            for a, b in pairs]
    yield from first_difference(aspect, near)


# ---- Events ----

def fields_of(segment, names):
    found = dict(word.split("=") for word in segment.split())
    return " ".join(f"{name}={found[name]}" for name in names)


def segments(sent, got, exact, start, timed):
    """One segment for each that was sent. Its base places it on the consumer's
    clock; it may come again after a pause, with another base."""
    names = ("format", "rate", "applied", "start", "stop", "time") if exact \
        else ("format", "rate", "applied")
    in_force = [e for e in sent.of("segment") if e.at <= start][-1:]
    later = [e for e in sent.of("segment") if e.at > start]
    a = [fields_of(e.text, names) for e in in_force + later]
    b = [fields_of(e.text, names) for e in got.of("segment")]
    if not timed:
        a, b = list(dict.fromkeys(a)), list(dict.fromkeys(b))
    if len(a) != len(b):
        yield "segment", f"{len(a)} were sent, {len(b)} arrived: {a} {b}"
    yield from first_difference("segment", list(zip(a, b)))


def others(sent, got, start, headers, exact):
    """Events that have no place of their own in each process. The times in them
    may be others, unless exact."""
    a = [(e.kind, max(e.at - start, 0), e.text) for e in sent.events
         if e.kind not in OWN and (e.at >= start or e.kind in STICKY)]
    b = [(e.kind, max(e.at - headers, 0), e.text) for e in got.events
         if e.kind not in OWN]
    if [each[0] for each in a] != [each[0] for each in b]:
        yield "events", (f"{[x[0] for x in a]} were sent, "
                         f"{[x[0] for x in b]} arrived")
    elif exact:
        yield from first_difference("events", list(zip(a, b)))


def tags(sent, got):
    if sent.tags != got.tags:
        keys = [key for key in sorted({*sent.tags, *got.tags})
                if sent.tags.get(key) != got.tags.get(key)]
        yield "tags", f"{keys} differ: {sent.tags} became {got.tags}"[:600]


# ---- A whole stream ----

def header(sent, got, headers, start):
    """A stream header that the caps name comes before the first buffer of a
    consumer that missed the start."""
    if start == 0 or not got.header or not got.buffers:
        return
    if headers != len(got.header):
        yield "header", f"{headers} of {len(got.header)} header buffers came"


def places(pairs, sent):
    """Where the pairs are in sent."""
    index = {id(buffer): i for i, buffer in enumerate(sent.buffers)}
    return [index[id(a)] for a, _ in pairs]


def before_loss(pairs, sent, stats):
    """pairs with those in front of the first gap where they were by the count of
    lost buffers: delimiters of units are equal."""
    at = places(pairs, sent)
    cut = next((i for i, (_, b) in enumerate(pairs) if i and b.discont), 0)
    missing = at[-1] - at[0] + 1 - len(at) if at else 0
    shift = stats.get("lost", 0) - missing
    if shift <= 0 or at[0] < shift:
        return pairs
    moved = [(sent.buffers[place - shift], b)
             for place, (_, b) in zip(at[:cut], pairs)]
    return moved + pairs[cut:] if all(a.sum == b.sum for a, b in moved) \
        else pairs


def losses(pairs, sent, got, stats):
    """Each gap is marked, and the count of the source is exact."""
    at = places(pairs, sent)
    gaps = [(b, here - before - 1) for before, here, (_, b)
            in zip(at, at[1:], pairs[1:]) if here - before > 1]
    if any(not buffer.discont for buffer, _ in gaps):
        yield "loss", "a gap has no DISCONT"
    lost = sum(count for _, count in gaps)
    if stats.get("lost", 0) != lost:
        yield "loss", f"{lost} are missing, lost is {stats.get('lost')}"


def without(metas, names):
    """The text of metas, but for those."""
    return [each for each in metas.split("; ")
            if each and each.split(" ")[0] not in names]


def begins_with_key(pairs):
    """Of a unit of several buffers the first alone has the time, or each has it."""
    first = pairs[0][1]
    unit = itertools.takewhile(lambda each: each.pts in (None, first.pts),
                               [b for _, b in pairs[1:]])
    return bool(first.flags & HEADER) or any(
        not each.flags & DELTA for each in [first, *unit])


def stream(sent, got, whole, exact, gaps, stats, timed, single, stays=()):
    """The aspects of one stream. whole: it arrives from its first buffer on;
    exact: with the producer's own timestamps; gaps: losses are permitted;
    timed: nothing is paused; single: it is placed in time alone; stays: metas
    that need not cross."""
    found = (part_of if gaps else tail_of)(sent, got, whole)
    if not found or (whole and not gaps
                     and len(found[1]) != len(sent.buffers)):
        yield "payload", explain(sent, got)
        return
    headers, pairs = found
    if gaps:
        pairs = before_loss(pairs, sent, stats)
    start = index_of(sent, pairs)
    yield from header(sent, got, headers, start)
    for aspect in ("duration", "offset", "caps"):
        yield from first_difference(aspect, [
            (getattr(a, aspect), getattr(b, aspect)) for a, b in pairs])
    yield from first_difference("metas", [
        (without(a.metas, stays), without(b.metas, stays)) for a, b in pairs])
    yield from first_difference("flags", [(a.flags, b.flags) for a, b in pairs],
                                hex)
    for aspect in ("pts", "dts", "running"):
        equal = exact and aspect != "running"
        if equal or timed:
            yield from times(aspect, [getattr(a, aspect) for a, _ in pairs],
                             [getattr(b, aspect) for _, b in pairs], equal,
                             max(sent.flushed() - start, 0),
                             not whole and (gaps or not single))
    yield from tags(sent, got)
    if gaps:
        yield from losses(pairs, sent, got, stats)
    else:
        yield from segments(sent, got, exact, start, timed)
        yield from others(sent, got, start, headers, exact and whole)
    if start and pairs and not begins_with_key(pairs) \
            and any(not each.flags & DELTA for each in sent.buffers):
        yield "keyframe", "the first buffer is no keyframe"


def inputs(alone, sent):
    """The producer's pipeline sends what the pipeline in one process sends."""
    for aspect in ("sum", "pts", "dts", "flags"):
        a = [getattr(buffer, aspect) for buffer in alone.buffers]
        b = [getattr(buffer, aspect) for buffer in sent.buffers]
        if a != b:
            yield "input", (f"{aspect}: {len(a)} buffers in one process, "
                            f"{len(b)} here; first different: " + str(next(
                                (i for i, (x, y) in enumerate(zip(a, b))
                                 if x != y), min(len(a), len(b)))))
            return


def ends(alone, got, how, timed):
    """The end of the consumer's pipeline: "all" of what one process shows there,
    its "last" ones, behind others, the last "half" of what came, or "some"."""
    a = [buffer.sum for buffer in alone.buffers]
    b = [buffer.sum for buffer in got.buffers]
    half = len(b) // 2
    if how == "all":
        if a != b:
            yield "end", explain(alone, got)
        elif timed:
            yield from times("end-time", [x.running for x in alone.buffers],
                             [x.running for x in got.buffers], False)
    elif not b:
        yield "end", "nothing came"
    elif how == "last" and a != b[-len(a):]:
        yield "end", explain(alone, got)
    elif how == "half" and half and a[-half:] != b[-half:]:
        yield "end", f"of {len(b)} the last {half} are not the stream's"
