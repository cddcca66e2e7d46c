# SPDX-License-Identifier: LGPL-2.1-or-later
"""From what the processes printed to figures, and from turns to medians and
ratios."""
import array
import statistics

QUANTILES = [("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99),
             ("p99_9_us", 0.999), ("max_us", 1)]
LEAST = 8  # buffers of a measurement
COUNTED = ("lost", "torn", "reordered")
# Of which a ratio to the baseline of the same turn is made.
RATIOS = ["per_s", "cpu_us", "pss_mib"] + [name for name, _ in QUANTILES]


def quantiles(path):
    """Latencies of all consumers together, in microseconds."""
    samples = array.array("Q")
    with open(path, "rb") as file:
        samples.frombytes(file.read())
    ordered = sorted(samples)
    if not ordered:
        return {}
    last = len(ordered) - 1
    found = {name: ordered[round(q * last)] / 1000 for name, q in QUANTILES}
    return {**found, "samples": len(ordered)}


def figures_of(sent, results, is_one_process):
    """Of one measurement."""
    receivers = [one for result in results for one in result["receivers"]]
    n = min(one["received"] for one in receivers)
    took = (max(one["last_ns"] for one in receivers)
            - min(one["first_ns"] for one in receivers)) / 1e9
    usages = [r["usage"] for r in ([sent] if is_one_process else [sent, *results])]
    total = {key: sum(usage[key] for usage in usages) for key in usages[0]}
    if n < LEAST or took <= 0:
        return {"failed": f"only {n} buffers arrived in time"}
    places = {one["received_at"] for one in receivers} | {sent.get("sent_at")}
    return {
        "per_s": (n - 1) / took,
        "cpu_us": (total["user_s"] + total["system_s"]) * 1e6 / n,
        "system_us": total["system_s"] * 1e6 / n,
        "voluntary": total["voluntary"] / n,
        "involuntary": total["involuntary"] / n,
        "minor_faults": total["minor_faults"] / n,
        "major_faults": total["major_faults"] / n,
        "pss_mib": total["pss_kib"] / 1024,
        "same_memory": len(places) == 1 and "inode" in places.pop(),
        **{key: sum(one[key] for one in receivers) for key in COUNTED}}


def short(value):
    """Four digits are more than a measurement means."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def medians(turns):
    good = [turn for turn in turns if turn and "failed" not in turn]
    names = {name for turn in good for name in turn} - {"same_memory", *COUNTED}
    return {name: short(float(statistics.median(
        turn[name] for turn in good if name in turn))) for name in sorted(names)}


def ratios(turns, baseline):
    """{NAME: [median, lowest, highest]} of the ratios of the same turn."""
    found = {}
    for name in RATIOS:
        each = [a[name] / b[name] for a, b in zip(turns, baseline)
                if a and b and a.get(name) and b.get(name)]
        if each:
            found[name] = [short(v) for v in
                           (statistics.median(each), min(each), max(each))]
    return found


def row_of(cell, transport, turns, baseline):
    """One row of the results; @turns has None where nothing was measured."""
    row = {**cell._asdict(), "transport": transport}
    good = [turn for turn in turns if turn and "failed" not in turn]
    failures = [turn["failed"] for turn in turns if turn and "failed" in turn]
    row["turns"] = len(good)
    if failures:
        row["failed"] = failures[-1]
    if not good:
        row.setdefault("failed", "no time was left")
        return row
    row["values"] = medians(turns)
    row["ratios"] = ratios(turns, baseline)
    # the floor keeps the newest stamp only: it loses and tears by design
    if transport != "floor":
        for name in COUNTED:
            row[name] = sum(turn[name] for turn in good)
        row["same_memory"] = all(turn["same_memory"] for turn in good)
    return row
