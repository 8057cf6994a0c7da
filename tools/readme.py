"""The README's program, taken out of the README: what stands there is what is compiled and run."""
import os
import re
import subprocess

import ccode
import sandboxed

# Each page in English and in Chinese.
PAIRS = [("README.md", "README.zh-CN.md"), ("docs/getting-started.md", "docs/getting-started.zh-CN.md"),
         ("docs/durability.md", "docs/durability.zh-CN.md")]


def text(name):
    with open(os.path.join(sandboxed.ROOT, name), encoding="utf-8") as file:
        return file.read()


def blocks(markdown):
    """(language, content) of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", markdown, re.M | re.S)


def headings(markdown):
    """The levels of the headings, in order; code blocks left out."""
    bare = re.sub(r"^```.*?^```$", "", markdown, flags=re.M | re.S)
    return [len(marks) for marks in re.findall(r"^(#+) ", bare, re.M)]


def differences():
    """What keeps a page in two languages from saying the same."""
    found = []
    for pair in PAIRS:
        english, chinese = (text(name) for name in pair)
        if headings(english) != headings(chinese):
            found.append("the headings of %s and %s differ: %s and %s" % (*pair, headings(english), headings(chinese)))
        if blocks(english) != blocks(chinese):
            found.append("the code blocks of %s and %s differ" % pair)
    return found


def run(folder, language):
    """Compiles the program as it stands there and runs it; only the sandbox's port is another one."""
    program = next(content for kind, content in blocks(text("README.md")) if kind == "c")
    with sandboxed.running(folder) as sandbox:
        port = sandbox.cloud.rsplit(":", 1)[1]
        source = os.path.join(sandbox.scratch, "readme.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(program.replace("6791", port))
        done = subprocess.run([ccode.compile_one(folder, source, language)], env=sandbox.environment(), timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=sandbox.scratch)
        said = done.stdout.decode("utf-8", "replace")
        if done.returncode != 0 or '"state":1' not in said.replace(" ", ""):
            raise RuntimeError("exit status %d\n%s" % (done.returncode, said))
        state = sandbox.ask("GET", "/state")
        if "A1001" not in str(state.get("orders", state)):
            raise RuntimeError("the platform has no order A1001: %s" % state)
        return said
