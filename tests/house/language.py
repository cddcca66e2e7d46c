#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plain language, as a ratchet: language.py [--root DIR] [--update |
--rename OLD NEW | --totals | --list FILE...]

Three groups of words mark a sentence that is slow to read, because its subject
is missing or is not a function, a structure or a process; GROUPS below lists
them. The check counts them per file in three parts:
  comments  of C, Promela, Python (with docstrings), shell and meson
  strings   of C and Python: messages, help texts, descriptions, names of tests.
            They are apart from the comments because a user reads them: better
            comments must not pay for a worse message.
  prose     of *.md and NEWS, outside of code, tables and quoted messages

tests/house/language.tsv has a row for each part of a file that contains such
words. A part fails if its count of a group is above its row and above LIMITS,
which is all that a new file has. A limit is a rate per 1000 words, but what is
judged is a count, the limit times the words rounded to the nearest: in a part
of 100 words a single word is a rate of 10, which is noise.
For the same reason a part does not fail if its rate rises because other text
was removed.

tests/house/language-keep.tsv lists phrases that keep a counted word because the
sentence is clearer with it: FILE, PHRASE, REASON, separated by tabs.

--update lowers the rows to the counts of now and drops rows of files that are
gone; it raises nothing. --rename gives NEW what OLD no longer uses of its rows,
for a file that was renamed, or for text that moved between two files; their sum
does not rise. --list prints the counted sentences of files."""
import argparse
import ast
import io
import os
import pathlib
import re
import subprocess
import sys
import tokenize

GROUPS = {
    "who": "who|whom|whose|whoever|whomever",
    "nobody": "nobody|somebody|anybody|everybody|someone|anyone|everyone"
              "|no[ ]one",
    "tell": "told|tells?|says?|said",
}
LIMITS = {"who": 0.5, "nobody": 0.5, "tell": 0.8}
# Counted and printed, but not judged.
PRINTED = {"must": "must|should", "if": "if|when"}
# Part of a name (hub-tell.c, who_is(), --who) is no word of a sentence.
WORDS = {name: re.compile(rf"(?<![\w./@%-])(?:{words})(?![\w(/]|[-.]\w)", re.I)
         for name, words in {**GROUPS, **PRINTED}.items()}
ANY_WORD = re.compile(r"[A-Za-z][\w']*")
TABLE = "tests/house/language.tsv"
KEEP = "tests/house/language-keep.tsv"
COMMAND = "tests/house/language.py"
AREAS = ("lib/datahub", "lib/core", "lib/control", "lib/cli", "gst", "tests",
         "docs", "examples", "README.md", "NEWS")

C_TOKEN = re.compile(r'(?P<comment>/\*.*?\*/|//[^\n]*)'
                     r'|(?P<string>"(?:\\.|[^"\\\n])*")'
                     r"|'(?:\\.|[^'\\\n])+'", re.S)


# ---- From a file to the sentences in it: (part, line, text) ----

def in_c(text, strings=True):
    text = re.sub(r'(?m)^\s*#\s*include.*$', "", text)
    joined, end = None, 0
    for match in C_TOKEN.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["comment"]:
            body = re.sub(r"(?m)^[ \t]*\*+(?!/)|\*/|/\*+|^//", " ",
                          match["comment"])
            yield "comments", line, body
        elif match["string"] and strings:
            # Neighbours in the source are one string, also around a PRIu64.
            between = text[end:match.start()]
            if joined and re.fullmatch(r"\s*(?:PRI\w+\s*)?", between):
                joined[1] += match["string"][1:-1]
            else:
                if joined:
                    yield "strings", *joined
                joined = [line, match["string"][1:-1]]
            end = match.end()
    if joined:
        yield "strings", *joined


def in_promela(text):
    return in_c(text, strings=False)


def in_python(text):
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield "comments", token.start[0], token.string.lstrip("#")
    tree = ast.parse(text)
    bare = {id(node.value) for node in ast.walk(tree)
            if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            part = "comments" if id(node) in bare else "strings"
            yield part, node.lineno, node.value


def in_shell(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"((?:[^'\"#]|'[^']*'|\"[^\"]*\"|(?<=[^\s])#)*?)"
                         r"(?:^|(?<=\s))#(?!!)(.*)", line)
        if match:
            yield "comments", number, match[2]


def without_code(text):
    """The lines of a markdown page, with code and tables left blank."""
    fenced = coded = False
    blank, margin = True, 0
    for line in text.splitlines():
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        if re.match(r"(```|~~~)", stripped):
            fenced = not fenced
            yield ""
            continue
        if stripped and indent < margin:
            margin = 0
        item = re.match(r"\s*(?:[-*+]|\d+\.)\s+", line)
        if stripped:
            coded = indent >= margin + 4 and (blank or coded)
        if item and not coded and not fenced:
            margin = item.end()
        blank = not stripped
        yield "" if fenced or coded or stripped.startswith("|") else line


def in_markdown(text):
    line, paragraph = 1, []
    for number, each in enumerate([*without_code(text), ""], 1):
        if each.strip():
            paragraph.append(each)
            continue
        prose = "\n".join(paragraph)
        prose = re.sub(r"`[^`]*`|\"[^\"]*\"|\]\([^)]*\)",
                       lambda quoted: re.sub(r"[^\n]", " ", quoted[0]), prose)
        yield "prose", line, prose
        line, paragraph = number + 1, []


def reader(path):
    """What reads the sentences of a file, or None if it has none."""
    if path.suffix in (".c", ".h", ".cc"):
        return in_c
    if path.suffix == ".pml":
        return in_promela
    if path.suffix == ".md" or path.name == "NEWS":
        return in_markdown
    if path.suffix == ".sh" or path.name in ("meson.build",
                                             "meson_options.txt"):
        return in_shell
    if path.suffix == ".py":
        return in_python
    return None if path.suffix else by_first_line


def by_first_line(text):
    first = text.partition("\n")[0]
    if first.startswith("#!") and "python" in first:
        return in_python(text)
    return in_shell(text) if first.startswith("#!") else []


# ---- Counts ----

class House:
    def __init__(self, root):
        self.root = root
        self.files = self.tree()
        self.keep = self.rows(KEEP)
        self.kept = set()

    def tree(self):
        git = subprocess.run(["git", "-C", self.root, "ls-files", "-z"],
                             capture_output=True)
        if git.returncode == 0 and git.stdout:
            names = git.stdout.decode().split("\0")
        else:
            names = []
            for folder, folders, files in os.walk(self.root):
                folders[:] = [f for f in folders
                              if f != ".git" and not f.startswith("build")]
                names += [os.path.relpath(os.path.join(folder, name),
                                          self.root) for name in files]
        return sorted(n for n in names if n and (self.root / n).is_file())

    def rows(self, name):
        path = self.root / name
        if not path.exists():
            return []
        return [line.split("\t") for line in path.read_text().splitlines()
                if line and not line.startswith("#")]

    def sentences(self, name):
        """(part, line, text) of a file, without the phrases that it keeps."""
        read = reader(pathlib.PurePath(name))
        if read is None:
            return
        text = (self.root / name).read_text(errors="replace")
        phrases = [(row[0], row[1]) for row in self.keep
                   if row[0] == name or (row[0] not in self.files and
                                         same_basename(row[0], name))]
        for part, line, each in read(text):
            if part == "strings" and not re.search(r"[a-z] +[\w%]", each):
                continue
            if "SPDX-License-Identifier" in each:
                continue
            for key in phrases:
                pattern = r"\s+".join(map(re.escape, key[1].split()))
                each, found = re.subn(pattern, " ", each)
                if found:
                    self.kept.add(key)
            yield part, line, each

    def counts(self, name):
        """{part: {"words": n, group: n, ...}} of a file."""
        parts = {}
        for part, _, text in self.sentences(name):
            count = parts.setdefault(part, dict.fromkeys(
                ["words", *WORDS], 0))
            count["words"] += len(ANY_WORD.findall(text))
            for group, pattern in WORDS.items():
                count[group] += len(pattern.findall(text))
        return parts

    def all_counts(self):
        return {name: self.counts(name) for name in self.files}


def same_basename(one, other):
    return os.path.basename(one) == os.path.basename(other)


def limit(group, words):
    return int(LIMITS[group] * words / 1000 + 0.5)


# ---- The table: {(file, part): {group: n}} ----

def load(house):
    return {(row[0], row[1]): dict(zip(GROUPS, map(int, row[2:])))
            for row in house.rows(TABLE)}


def store(house, table):
    head = ("# Words that language.py counts, by file and part. Lowered by "
            f"{COMMAND} --update,\n# never raised; see there.\n")
    rows = ["\t".join([*key, *(str(row[group]) for group in GROUPS)])
            for key, row in sorted(table.items()) if any(row.values())]
    columns = "\t".join(["# file", "part", *GROUPS])
    (house.root / TABLE).parent.mkdir(parents=True, exist_ok=True)
    (house.root / TABLE).write_text(
        head + columns + "\n" + "".join(row + "\n" for row in rows))


def row_of(house, table, name, part):
    """The row of a file; of one that moved, the row of the same basename if
    that path is gone."""
    if (name, part) in table:
        return name, table[name, part]
    for (old, old_part), row in sorted(table.items()):
        if (old_part == part and old not in house.files
                and same_basename(old, name)):
            return old, row
    return None, dict.fromkeys(GROUPS, 0)


def too_many(row, count):
    """The groups of which a part has more than it may."""
    for group in GROUPS:
        allowed = max(row[group], limit(group, count["words"]))
        if count[group] > allowed:
            yield group, allowed


def check(house):
    table = load(house)
    counts = house.all_counts()
    breaches = 0
    for name, parts in counts.items():
        for part, count in parts.items():
            row = row_of(house, table, name, part)[1]
            for group, allowed in too_many(row, count):
                breaches += 1
                words = GROUPS[group].replace("[ ]", " ").replace("?", "")
                print(f"{name}: {part}: {count[group]} of {words} in "
                      f"{count['words']} words, {allowed} allowed")
    if breaches:
        advise(house, table)
    for row in house.keep:
        if len(row) != 3 or not row[2].strip():
            print(f"{KEEP}: a row is not FILE, PHRASE, REASON: {row}")
            breaches += 1
        elif (row[0], row[1]) not in house.kept:
            print(f"{KEEP}: {row[0]} has no such phrase: {row[1]}")
            breaches += 1
    totals(counts)
    return breaches == 0


def advise(house, table):
    print(f"""
The sentences are printed by: {COMMAND} --list FILE
Rewrite them (docs/style.md, Language). If a file was renamed, or text was moved
from OLD to NEW, move its figures: {COMMAND} --rename OLD NEW
If the sentence is clearer with the word, list it with a reason in {KEEP}.""")
    listed = {name for name, _ in table} | {row[0] for row in house.keep}
    gone = sorted(listed - set(house.files))
    if gone:
        print("Rows of files that are gone: " + ", ".join(gone))
    print()


def update(house):
    table, counts, lowered = load(house), house.all_counts(), {}
    first = not (house.root / TABLE).exists()
    for name, parts in counts.items():
        for part, count in parts.items():
            row = row_of(house, table, name, part)[1]
            lowered[name, part] = {
                group: count[group] if first
                else min(count[group], max(row[group],
                                           limit(group, count["words"])))
                for group in GROUPS}
    store(house, lowered)
    house.kept = set()
    return check(house)


def rename(house, old, new):
    """What OLD has in its rows and does not use goes to NEW, up to what NEW
    uses."""
    table = load(house)
    if new not in house.files:
        sys.exit(f"{new}: no such file (is it added to git?)")
    listed = {name for name, _ in table} | {row[0] for row in house.keep}
    if old not in listed:
        sys.exit(f"{old} has no row in {TABLE} or {KEEP}")
    here = house.counts(old) if old in house.files else {}
    for part, count in house.counts(new).items():
        source = table.get((old, part))
        if source is None:
            continue
        own = table.setdefault((new, part), dict.fromkeys(GROUPS, 0))
        for group in GROUPS:
            spare = source[group] - here.get(part, count | dict.fromkeys(
                GROUPS, 0))[group]
            moved = max(0, min(spare, count[group] - own[group]))
            source[group] -= moved
            own[group] += moved
    if old not in house.files:
        table = {key: row for key, row in table.items() if key[0] != old}
    store(house, table)
    move_kept(house, old, new)


def move_kept(house, old, new):
    path = house.root / KEEP
    if path.exists() and old not in house.files:
        text = path.read_text()
        path.write_text(re.sub(rf"(?m)^{re.escape(old)}\t", f"{new}\t", text))


def area_of(name):
    for area in AREAS:
        if name == area or name.startswith(area + "/"):
            return area
    return "others"


def totals(counts):
    """Per 1000 words by area; must and if are for information."""
    sums = {}
    for name, parts in counts.items():
        for part, count in parts.items():
            for key in ((area_of(name), part), ("all", "")):
                into = sums.setdefault(key, dict.fromkeys(count, 0))
                for each, value in count.items():
                    into[each] += value
    print(f"{'per 1000 words':25}{'words':>8}"
          + "".join(f"{group:>8}" for group in WORDS))
    for key in sorted(sums, key=lambda k: (k[0] == "all", k)):
        count = sums[key]
        rates = "".join(f"{1000 * count[g] / max(1, count['words']):8.1f}"
                        for g in WORDS)
        print(f"{' '.join(key):25}{count['words']:8}{rates}")


def listing(house, names):
    for name in names:
        for part, line, text in house.sentences(name):
            for group in GROUPS:
                for match in WORDS[group].finditer(text):
                    at = line + text.count("\n", 0, match.start())
                    around = text[max(0, match.start() - 50):match.end() + 50]
                    print(f"{name}:{at}: {part}: {match[0]}: "
                          f"{' '.join(around.split())}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2])
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--update", action="store_true")
    action.add_argument("--rename", nargs=2, metavar=("OLD", "NEW"))
    action.add_argument("--totals", action="store_true")
    action.add_argument("--list", nargs="+", metavar="FILE")
    args = parser.parse_args()
    house = House(args.root.resolve())
    if args.update:
        sys.exit(not update(house))
    if args.rename:
        return rename(house, *args.rename)
    if args.totals:
        return totals(house.all_counts())
    if args.list:
        return listing(house, args.list)
    sys.exit(not check(house))


main()
