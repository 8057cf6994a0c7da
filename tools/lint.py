#!/usr/bin/env python3
"""The rules of the house: `make lint`. Every rule is looked at, also after one that is broken."""
import os
import re
import shutil
import subprocess
import sys

import readme
import sandboxed

ROOT = sandboxed.ROOT
CARGO = os.path.join(ROOT, "tools/cargo")
LONGEST = 400  # lines of a source file

# What has no place in what we give away: folders of one machine, and the addresses of package registries.
MACHINE = re.compile(r"/(?:home|Users|root)/\w")


def tracked(*patterns):
    """Files under version control; in a tree without it, all but what was built."""
    done = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"] + list(patterns),
                          cwd=ROOT, stdout=subprocess.PIPE, check=True)
    names = done.stdout.decode("utf-8").split("\0")
    return [name for name in names if name and os.path.isfile(os.path.join(ROOT, name))]


def lines(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def cargo(*words):
    """What keeps a cargo command from passing."""
    done = subprocess.run([CARGO] + list(words), cwd=ROOT)
    return [] if done.returncode == 0 else ["cargo %s failed" % " ".join(words)]


def formatting():
    """cargo fmt --check"""
    return cargo("fmt", "--all", "--", "--check")


def warnings():
    """clippy, warnings are errors"""
    return cargo("clippy", "-q", "--workspace", "--all-targets", "--", "-D", "warnings")


def generated():
    """generated pages and headers are what the sources make of them"""
    return cargo("run", "-q", "-p", "xtask", "--", "check")


def unsafe():
    """unsafe stands in src/abi only"""
    word = re.compile(r"\bunsafe\b")
    found = []
    for name in tracked("*.rs"):
        if name.startswith(("src/abi/", "benches/")):
            continue
        found += ["%s:%d" % (name, at) for at, line in enumerate(lines(name), 1)
                  if word.search(line.split("//")[0])]
    return found


def length():
    """source files have at most 400 lines"""
    sources = [name for name in tracked("src", "sandbox", "xtask", "tools") if name.endswith((".rs", ".py", ".sh"))]
    return ["%s has %d" % (name, len(lines(name))) for name in sources if len(lines(name)) > LONGEST]


def languages():
    """pages in two languages have the same headings and code"""
    return readme.differences()


def links():
    """links between our own pages lead somewhere"""
    found = []
    for name in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", "\n".join(lines(name))):
            if not target.startswith(("http:", "https:", "mailto:")):
                if not os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)):
                    found.append("%s: %s" % (name, target))
    return found


def machine():
    """nothing tells of the machine it was made on"""
    found = []
    for name in tracked():
        if name not in ("tools/lint.py", "Cargo.lock"):
            found += ["%s:%d" % (name, at) for at, line in enumerate(lines(name), 1) if MACHINE.search(line)]
    return found


def shell():
    """shellcheck, where it is installed"""
    if not shutil.which("shellcheck"):
        return []
    scripts = [name for name in tracked("tools", ".ci") if lines(name)[:1] and "bash" in lines(name)[0]]
    done = subprocess.run(["shellcheck", "-S", "warning"] + scripts, cwd=ROOT)
    return [] if done.returncode == 0 else ["shellcheck failed"]


RULES = [formatting, warnings, generated, unsafe, length, languages, links, machine, shell]


def main():
    os.environ.setdefault("CARGO_TERM_COLOR", "never")
    broken = 0
    for rule in RULES:
        found = rule()
        said = rule.__doc__
        print("%s %s" % ("FAIL" if found else "ok  ", said), flush=True)
        for text in found:
            print("       " + text, flush=True)
        broken += bool(found)
    print("lint: %d rules, %d broken" % (len(RULES), broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
