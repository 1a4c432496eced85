# SPDX-License-Identifier: Apache-2.0
"""Running the program in tests of whole runs. Python's standard library only."""
import atexit
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import zlib

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "support"))
import environment

# 4-bit LSQ on pictures that the program draws: 20 steps in about a second.
RECIPE = """\
model: {name: smallcnn, width: 8}
data: {name: builtin, batch: 32, train: [pad_crop: 4, hflip], train_pictures: 320, test_pictures: 64}
quant:
  weights: {method: lsq, bits: 4}
  activations: {method: lsq, bits: 4}
train: {epochs: 2, optimizer: {name: sgd, lr: 0.02}, seed: 3}
eval: {batch: 64}
"""
# A float net for it to learn from.
TEACHER = """\
model: {name: smallcnn, width: 12}
data: {name: builtin, batch: 32, train_pictures: 320, test_pictures: 64}
train: {epochs: 1, optimizer: {name: sgd, lr: 0.05}, seed: 8}
eval: {batch: 64}
"""
# The same with everything beside the optimizer that keeps state between steps.
DYNAMICS = RECIPE.replace("epochs: 2", "epochs: 6").replace(
    "weights: {method: lsq, bits: 4}", "weights: {method: lsq, bits: 4, ste: ewgs}").replace(
    "activations: {method: lsq, bits: 4}", "activations: {method: lsq, bits: 4, ste: stochastic}") + """\
dynamics:
  ewgs_curvature: {every: 2, batches: 2, probes: 1}
  oscillation: {momentum: 0.1}
  dampening: {lambda: 0.01, begin: 0.1}
  freezing: {start: 0.3, end: 0.05, begin: 0.1, momentum: 0.1}
  weight_ema: {decay: 0.9}
  bn_estimate: {batches: 3}
phases:
  - {epoch: 0, weight_bits: 32, activation_bits: 32}
  - {epoch: 1, weight_bits: 8}
  - {epoch: 2}
  - {epoch: 5, ranges: frozen, norm: frozen}
distill: {teacher: teacher/last.h5, model: smallcnn, width: 12, temperature: 2}
"""
FOLDED = DYNAMICS.replace("quant:\n", "quant:\n  fold_norm: true\n")
SKIP = 77


class Test:
    """A folder, the program, and a count of failures."""

    def __init__(self, detent):
        self.detent = os.path.abspath(detent)
        self.folder = tempfile.mkdtemp(prefix="detent-e2e-")
        os.chmod(self.folder, 0o755)
        self.processes = []
        atexit.register(self.clean)
        self.failures = 0
        self.checks = 0
        self.skips = 0

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(self.path(name), mode) as f:
            f.write(text)
        return self.path(name)

    def start(self, *args, **options):
        """The program, not waited for."""
        options.setdefault("preexec_fn", default_signals)
        env = dict(os.environ, OMP_WAIT_POLICY="passive", LC_ALL="C", **options.pop("variables", {}))
        process = subprocess.Popen([self.detent, *map(str, args)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=env, **options)
        self.processes = [p for p in self.processes if p.poll() is None] + [process]
        return process

    def run(self, *args, timeout=600, **options):
        """(exit code, standard output, standard error)"""
        process = self.start(*args, **options)
        out, err = process.communicate(timeout=timeout)
        return process.returncode, out, err

    def succeed(self, *args, **options):
        code, out, err = self.run(*args, **options)
        if code != 0:
            raise SystemExit(f"detent {' '.join(map(str, args))}: exit code {code}\n{err}")
        return out

    def sha256(self, file):
        return self.succeed("inspect", file, "--sha256").strip()

    def check(self, good, text):
        self.checks += 1
        if not good:
            self.failures += 1
            print("FAILED:", text)

    def skip(self, text):
        self.skips += 1
        print("SKIP", text)

    def clean(self):
        """Also when a test breaks off or is stopped from outside."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end(self):
        """The exit status. A test of which a part was skipped counts as skipped."""
        if not self.checks and not self.skips:
            self.check(False, "nothing was checked")
        print(f"{self.checks} checks, {self.failures} failures, {self.skips} skipped")
        return 1 if self.failures else SKIP if self.skips else 0


def png(width, height, rows):
    """A PNG file of RGB rows."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    raw = b"".join(b"\0" + row for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(raw, 1)) + chunk(b"IEND", b""))


def leftovers(folder):
    """Temporary files in a run folder."""
    return [name for name in os.listdir(folder) if ".tmp" in name]


def shared(root, *parts):
    """A file or folder of the published data, or None."""
    base = os.environ.get("DETENT_SHARED") or os.path.join(root, "..", "shared")
    path = os.path.join(base, *parts)
    return path if os.path.exists(path) else None


def default_signals():
    """A test may itself run in the background, where a shell has SIGINT ignored."""
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, signal.SIG_DFL)


def onnxruntime_python(venv):
    """A Python with tests/requirements.txt, or None where they cannot be installed."""
    return environment.interpreter(venv, os.path.join(TESTS, "requirements.txt"))


def main(function):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(function(sys.argv[1:]))
