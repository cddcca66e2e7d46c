#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The language check fails by name on text that got worse, and on nothing
else. Each case has a small tree of its own: language_test.py."""
import pathlib
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(__file__).resolve().parent / "language.py"
TABLE = "tests/house/language.tsv"
KEEP = "tests/house/language-keep.tsv"
SPDX = "SPDX-License-Identifier: LGPL-2.1-or-later"
PLAIN = "The ring drops the oldest slot when all slots are in use. "
# A word alone in a string is not counted, so this file has none of them.
WHO, NOBODY, TOLD = "who", "nobody", "told"
BAD = f"A thread {WHO} waits for {NOBODY} is {TOLD}. "


class Tree:
    def __init__(self, folder):
        self.root = pathlib.Path(folder)
        self.write("lib/a.c", f'/* {SPDX} */\n/* {BAD}{BAD}*/\n'
                   f'void f (void) {{ puts ("{PLAIN}"); }}\n')
        self.write("docs/page.md", PLAIN + "\n\n    " + BAD
                   + "\n\n| " + BAD + "|\n\nIt prints `" + BAD + "`.\n")
        self.run("--update")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name):
        return (self.root / name).read_text()

    def add(self, name, text):
        self.write(name, self.read(name) + text)

    def move(self, old, new):
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    def run(self, *args):
        return subprocess.run([sys.executable, SCRIPT, "--root", self.root,
                               *args], capture_output=True, text=True)

    def passes(self):
        run = self.run()
        assert run.returncode == 0, run.stdout + run.stderr

    def fails(self, *words):
        run = self.run()
        assert run.returncode == 1, run.stdout + run.stderr
        for word in words:
            assert word in run.stdout, f"no {word} in\n{run.stdout}"


def an_unchanged_tree_passes(tree):
    tree.passes()
    assert "lib/a.c\tcomments\t2\t2\t2\n" in tree.read(TABLE)
    assert "page.md" not in tree.read(TABLE)


def a_worse_comment_fails_by_name(tree):
    tree.add("lib/a.c", f"/* {PLAIN * 3} For {NOBODY}. */\n")
    tree.fails(f"lib/a.c: comments: 3 of {NOBODY}|", "2 allowed", "--list")


def a_worse_message_fails_beside_better_comments(tree):
    tree.write("lib/a.c", f'const char *t = "for {NOBODY} %" PRIu64\n  " a";\n')
    tree.fails(f"lib/a.c: strings: 1 of {NOBODY}|")


def each_kind_of_file_is_read(tree):
    for name, text in (("a.pml", f"/* {BAD}*/\n"), ("meson.build", f"# {BAD}\n"),
                       ("a.sh", f"x=1  # {BAD}\n"), ("NEWS", BAD),
                       ("run", f"#!/bin/bash\n# {BAD}\n"),
                       ("b.md", f"- item\n\n  {BAD}\n"),
                       ("a.py", f'"""{BAD}"""\n'), ("b.py", f"# {BAD}\n"),
                       ("a.h", f"// {BAD}\n")):
        tree.write("new/" + name, text)
        tree.fails(f"new/{name}: ", f"1 of {WHO}|", f"1 of {TOLD}|")
        (tree.root / "new" / name).unlink()
    tree.passes()


def names_and_code_are_not_words(tree):
    tree.write("new.c", f'/* hub-{TOLD}.c, {WHO}_is (), x.{WHO} and --{WHO} */\n'
               f'const char *w = "{WHO}";\n')
    tree.passes()


def a_long_new_file_has_the_limit(tree):
    tree.write("new.md", PLAIN * 100 + NOBODY + "\n")
    tree.passes()
    tree.add("new.md", "\n" + NOBODY + "\n")
    tree.fails(f"new.md: prose: 2 of {NOBODY}|", "1 allowed")


def a_file_that_moved_keeps_its_row(tree):
    tree.move("lib/a.c", "lib/core/a.c")
    tree.passes()
    tree.add("lib/core/a.c", f"/* {BAD}*/\n")
    tree.fails(f"lib/core/a.c: comments: 3 of {WHO}|")


def a_renamed_file_fails_with_the_command_that_moves_its_row(tree):
    tree.move("lib/a.c", "lib/b.c")
    tree.fails("lib/b.c", "--rename OLD NEW", "gone: lib/a.c")
    assert tree.run("--rename", "lib/a.c", "lib/b.c").returncode == 0
    tree.passes()
    assert "lib/a.c" not in tree.read(TABLE)


def a_renamed_file_with_kept_phrases_alone_moves_them(tree):
    tree.write("new.c", f"/* A thread that asks {WHO} owns it. */\n")
    tree.write(KEEP, f"new.c\tasks {WHO} owns\tthe owner is a process\n")
    tree.passes()
    tree.move("new.c", "newer.c")
    tree.fails("newer.c: comments: 1 of", "gone: new.c")
    tree.run("--rename", "new.c", "newer.c")
    tree.passes()


def text_that_moves_takes_its_figures_along(tree):
    tree.write("lib/a.c", f"/* {BAD}*/\n")
    tree.write("lib/b.c", f"/* {BAD}*/\n")
    tree.fails("lib/b.c")
    tree.run("--rename", "lib/a.c", "lib/b.c")
    tree.passes()
    for name in ("lib/a.c", "lib/b.c"):
        assert f"{name}\tcomments\t1\t1\t1\n" in tree.read(TABLE)


def a_rename_raises_no_sum(tree):
    tree.write("lib/b.c", f"/* {BAD}*/\n")
    before = tree.read(TABLE)
    tree.run("--rename", "lib/a.c", "lib/b.c")
    assert tree.read(TABLE) == before
    tree.fails("lib/b.c")


def an_update_lowers_and_never_raises(tree):
    tree.add("lib/a.c", f"/* {BAD}*/\n")
    before = tree.read(TABLE)
    assert tree.run("--update").returncode == 1
    assert tree.read(TABLE) == before
    tree.write("lib/a.c", f"/* {BAD}*/\n")
    assert tree.run("--update").returncode == 0
    assert "lib/a.c\tcomments\t1\t1\t1\n" in tree.read(TABLE)
    tree.add("lib/a.c", f"/* {BAD}*/\n")
    tree.fails("lib/a.c")


def a_kept_phrase_needs_its_sentence_and_a_reason(tree):
    tree.add("lib/a.c", f"/* A thread that asks {WHO}\n * owns it. */\n")
    tree.fails("lib/a.c")
    tree.write(KEEP, f"lib/a.c\tasks {WHO} owns\tthe owner is a process\n")
    tree.passes()
    tree.move("lib/a.c", "lib/b.c")
    tree.run("--rename", "lib/a.c", "lib/b.c")
    tree.passes()
    tree.move("lib/b.c", "lib/a.c")
    tree.run("--rename", "lib/b.c", "lib/a.c")
    tree.write(KEEP, f"lib/a.c\tasks {WHO} owns\n")
    tree.fails("FILE, PHRASE, REASON")
    tree.write(KEEP, f"lib/a.c\tasks {WHO} owns\ta reason\n"
               f"lib/a.c\t{WHO} sleeps\ta reason\n")
    tree.fails(f"no such phrase: {WHO} sleeps")


CASES = [an_unchanged_tree_passes, a_worse_comment_fails_by_name,
         a_worse_message_fails_beside_better_comments,
         each_kind_of_file_is_read, names_and_code_are_not_words,
         a_long_new_file_has_the_limit, a_file_that_moved_keeps_its_row,
         a_renamed_file_fails_with_the_command_that_moves_its_row,
         a_renamed_file_with_kept_phrases_alone_moves_them,
         text_that_moves_takes_its_figures_along, a_rename_raises_no_sum,
         an_update_lowers_and_never_raises,
         a_kept_phrase_needs_its_sentence_and_a_reason]


def main():
    failed = 0
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                case(Tree(folder))
                print(f"ok: {case.__name__}")
            except AssertionError as error:
                failed += 1
                print(f"FAILED: {case.__name__}: {error}")
    sys.exit(1 if failed else 0)


main()
