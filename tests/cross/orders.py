#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks at aarch64 object code: orders.py BUILD_DIR.

Compiles orders.c, a function for each kind of shared access, with gcc and with
clang, for the first ARMv8 and for one that has LDAPR and LSE, and says which
instructions they became; then looks through the whole core. An acquire load may
be an LDAPR, a seq_cst one may not: it could be satisfied before an earlier
STLR, and Dekker's pairs would break."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LIB = HERE.parents[1] / "lib"
OBJDUMP = "aarch64-linux-gnu-objdump"
COMPILERS = {
    "gcc": ["aarch64-linux-gnu-gcc"],
    "clang": ["clang-14", "--target=aarch64-linux-gnu",
              "--sysroot=/usr/aarch64-linux-gnu",
              "-I/usr/aarch64-linux-gnu/include"],
}
MACHINES = {"v8.0": "armv8-a", "v8.3": "armv8.3-a"}
# What a function must have one of; an exclusive pair, or the one instruction of
# LSE, or gcc's choice between the two at run time (__aarch64_...).
RMW = r"\b(ldaxr|(ldset|ldclr|ldadd|swp|cas)al|__aarch64_\w+_acq_rel)\b"
WANTED = {
    "load_seq": r"\bldar\b",
    "load_acquire": r"\b(ldar|ldapr)\b",
    "load_relaxed": r"\bldr\b",
    "store_seq": r"\bstlr\b",
    "store_release": r"\bstlr\b",
    "fence_seq": r"\bdmb\s+ish\b",
    "or_seq": RMW, "and_seq": RMW, "add_seq": RMW, "exchange_seq": RMW,
    "swap_u64_seq": RMW,
}
FORBIDDEN = {
    "load_seq": r"\bldapu?r\b",
    "load_relaxed": r"\b(ldar|ldapr|dmb)\b",
}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True,
                          check=True).stdout


def functions(path):
    """name -> its lines of assembler"""
    found, name = {}, None
    for line in run(OBJDUMP, "-dr", "--no-show-raw-insn", path).splitlines():
        head = re.match(r"[0-9a-f]+ <([\w.]+)>:", line)
        if head:
            name = head.group(1)
            found[name] = []
        elif name:
            found[name].append(line)
    return found


def probe(compiler, machine, folder):
    out = str(pathlib.Path(folder, f"{compiler}-{machine}.o"))
    run(*COMPILERS[compiler], f"-march={MACHINES[machine]}", "-std=gnu11",
        "-O2", f"-I{LIB}", "-c", str(HERE / "orders.c"), "-o", out)
    for name, wanted in WANTED.items():
        text = "\n".join(functions(out)["probe_" + name])
        if not re.search(wanted, text):
            yield f"{compiler} {machine}: {name} has no {wanted}:\n{text}"
        if name in FORBIDDEN and re.search(FORBIDDEN[name], text):
            yield (f"{compiler} {machine}: {name} has a {FORBIDDEN[name]}:\n"
                   f"{text}")
    yield from calls(out, f"{compiler} {machine}")


def calls(path, what):
    """Nothing that a lock in a library would do instead."""
    for line in run("aarch64-linux-gnu-nm", "-u", path).splitlines():
        called = re.search(r"\b(__atomic_|__sync_)\w+", line)
        if called:
            yield f"{what}: calls {called.group(0)}"


def core(build):
    archive = pathlib.Path(build, "lib/core/libdatahub-core.a")
    text = run(OBJDUMP, "-d", "--no-show-raw-insn", str(archive))
    n_ldar = len(re.findall(r"\bldar\b", text))
    n_stlr = len(re.findall(r"\bstlr\b", text))
    n_rmw = len(re.findall(RMW, text))
    print(f"the core: {n_ldar} LDAR, {n_stlr} STLR, {n_rmw} read-modify-writes")
    if not (n_ldar and n_stlr and n_rmw):
        yield "the core has no atomics that this can see"
    if re.search(r"\bldapu?r\b", text):
        yield "the core has an LDAPR"
    yield from calls(str(archive), "the core")


def main():
    breaches = list(core(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        for compiler, command in COMPILERS.items():
            if not shutil.which(command[0]):
                print(f"SKIPPED: {command[0]} is not installed")
                continue
            for machine in MACHINES:
                found = list(probe(compiler, machine, folder))
                print(f"{compiler} for {machine}: "
                      f"{'as it should' if not found else 'WRONG'}")
                breaches += found
    print("\n".join(breaches))
    sys.exit(1 if breaches else 0)


main()
