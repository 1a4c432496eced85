# SPDX-License-Identifier: Apache-2.0
"""Compiles an exported C file with all warnings as errors, runs it, and compares the codes of every
node and the outputs with Detent's. `detent verify --runtime c` starts it; cli/runtime.c tells what
comes through standard input. It needs a compiler and Python's standard library."""
import concurrent.futures
import json
import os
import shlex
import subprocess

import comparison

FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
DEFAULT = "cc -O2"
# Pictures as codes in, codes of every node and float logits out, until the input ends.
MAIN = """
#include <stdio.h>
#define NET_TRACE(node, codes, count) fwrite((codes), 1, (size_t)(count), stdout)
#include "%s"
int main(void)
{
    static uint8_t x[NET_INPUT_BYTES], y[%d];
    while (fread(x, 1, sizeof x, stdin) == sizeof x) {
        int i;
        net_run(x, y);
%s
        fflush(stdout);
    }
    return 0;
}
"""
# The floats of an output.
OUTPUT = """
        for (i = 0; i < %d; i++) {
            float value = (float)(y[%d + i] - NET_%s_ZERO) * NET_%s_SCALE;
            fwrite(&value, sizeof value, 1, stdout);
        }
"""


def program_of(header):
    """The text of main.c."""
    parts, at = [], 0
    counts = comparison.outputs_of_net(header).values()
    for k, count in enumerate(counts):
        macro = f"OUT{k}" if len(counts) > 1 else "LOGIT"
        parts.append(OUTPUT % (count, at, macro, macro))
        at += count
    return MAIN % (os.path.basename(header["model"]), at, "".join(parts))


def build(header, compiler):
    """Beside the exported file, whose name no path then stands in front of."""
    model = header["model"]
    folder = os.path.dirname(os.path.abspath(model))
    source, program = os.path.join(folder, "main.c"), os.path.join(folder, "main")
    with open(source, "w", encoding="utf-8") as f:
        f.write(program_of(header))
    try:
        words = shlex.split(compiler)
    except ValueError as error:
        raise comparison.CannotRun(f"--compiler '{compiler}': {error}") from error
    if not words:
        raise comparison.CannotRun("--compiler names no command")
    command = [*words, *FLAGS, source, "-o", program]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False)
    except (OSError, ValueError) as error:
        raise comparison.CannotRun(f"--compiler '{compiler}': {error}") from error
    said = done.stderr.decode(errors="replace")
    if done.returncode or not os.access(program, os.X_OK):
        lines = [line for line in said.splitlines() if line.strip()] or ["it made no program"]
        worst = next((line for line in lines if "error" in line), lines[-1])
        raise comparison.Failed(f"--compiler '{compiler}': exit status {done.returncode}: {worst}")
    return program


class Runner:
    """One process of the program."""

    def __init__(self, program, size):
        self.size = size
        env = dict(os.environ, UBSAN_OPTIONS="halt_on_error=1")
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=env)

    def run(self, codes):
        """What the program says of these pictures, a text of bytes each."""
        out = []
        for code in codes:
            self.process.stdin.write(code)
            self.process.stdin.flush()
            out.append(self.process.stdout.read(self.size))
        return out

    def end(self):
        self.process.stdin.close()
        return self.process.wait() == 0


def pieces(data, n):
    size = len(data) // n
    return [data[i * size:(i + 1) * size] for i in range(n)]


def run_all(runners, pictures):
    """In parallel; answers in the order of the pictures."""
    k = len(runners)
    with concurrent.futures.ThreadPoolExecutor(k) as pool:
        parts = list(pool.map(lambda i: runners[i].run(pictures[i::k]), range(k)))
    return [parts[i % k][i // k] for i in range(len(pictures))]


def split(records, counts):
    """By part, what of each record is its."""
    parts, at = [], 0
    for count in counts:
        parts.append([record[at:at + count] for record in records])
        at += count
    return parts


def differing(got, want):
    """(elements, differing, largest) of two texts of bytes."""
    if got == want:
        return len(want), 0, 0
    distances = [abs(a - b) for a, b in zip(got, want) if a != b]
    return len(want), len(distances) + abs(len(want) - len(got)), max(distances, default=255)


def run_batches(stream, header, program, tally):
    """True when the program lived to the end."""
    ends = comparison.outputs_of_net(header)
    names = [n["name"] for n in header["nodes"]] + list(ends)
    counts = [n["H"] * n["W"] * n["C"] for n in header["nodes"]]
    floats_at, record = len(counts), sum(ends.values())
    counts += [4 * count for count in ends.values()]
    floats = comparison.record_of(header)
    inputs = sorted((n["at"], k) for k, n in enumerate(header["nodes"]) if n["at"] >= 0)
    runners = [Runner(program, sum(counts)) for _ in range(os.cpu_count() or 1)]
    while n := comparison.batch_size(stream):
        stream.read(4 * n * floats)
        ours = [pieces(stream.read(n * count), n) for count in counts[:floats_at]]
        ours += split(pieces(stream.read(4 * n * record), n), counts[floats_at:])
        codes = [b"".join(ours[k][i] for _, k in inputs) for i in range(n)]
        for i, got in enumerate(run_all(runners, codes)):
            at = 0
            for k, count in enumerate(counts):
                checked, differ, most = differing(got[at:at + count], ours[k][i])
                tally.add(names[k], checked // 4 if k >= floats_at else checked, differ, most)
                at += count
        tally.pictures += n
    return all([runner.end() for runner in runners])


def main(stream, as_json):
    header = json.loads(stream.readline())
    compiler, tally = header.get("compiler", DEFAULT), comparison.Tally()
    ended = run_batches(stream, header, build(header, compiler), tally)
    names = [n["name"] for n in header["nodes"]]
    return comparison.report(as_json, compiler, names, list(comparison.outputs_of_net(header)), tally, ended,
                       notes=[] if ended else ["the program broke off"])
