"""C programs against the staged library: compiled strictly, and under valgrind."""
import os
import subprocess

LANGUAGES = ["c99", "c11", "c++17"]
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-g"]

# Leaks that count are those nobody points to any more; 9 tells valgrind's own verdict from the program's.
VALGRIND = ["valgrind", "-q", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            "--error-exitcode=9", "--num-callers=30",
            # Reading what was inlined where takes longer than most of the programs.
            "--read-inline-info=no"]


def compile_one(folder, source, language):
    """The program's path. What the compiler says goes to the screen; it must say nothing."""
    folder = os.path.abspath(folder)
    stem = os.path.splitext(os.path.basename(source))[0]
    programs = os.path.join(folder, "programs")
    os.makedirs(programs, exist_ok=True)
    program = os.path.join(programs, "%s-%s" % (stem, language))
    compiler, kind = (os.environ.get("CXX", "c++"), "c++") if language.startswith("c++") else (os.environ.get("CC", "cc"), "c")
    subprocess.run(
        [compiler, "-x", kind, "-std=" + language] + STRICT + ["-I" + os.path.join(folder, "include"), source]
        + ["-x", "none", "-o", program, "-L" + folder, "-lparklink", "-pthread"], check=True)
    return program
