# SPDX-License-Identifier: Apache-2.0
"""The coverage suite: every network of networks.txt is made (make.py) and Detent held to it (check.py), a
process each under MEMORY and SECONDS of the processor. PyTorch is loaded once, and they are forked. What is there and was made of the same files is not made again, so a run
that was broken off goes on. Environment and files lie in build-bench/ and build-coverage/ of the
source, which git ignores: some 25 GB.

usage: run.py DETENT STEP STEP_DOUBLE TRAIN [FAMILY...]       ends with 1 where less is reached than reached.json says
       run.py --report                                 docs/coverage.md of what was found last
"""
import hashlib
import json
import os
import resource
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import environment
import report

MEMORY, SECONDS = 8 << 30, 300
ENVIRONMENT = os.path.join(ROOT, "build-bench", "coverage")
NETS = os.path.join(ROOT, "build-coverage")


def networks():
    with open(os.path.join(HERE, "networks.txt"), encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                library, family, name, side, count = line.split()
                yield {"library": library, "family": family, "name": name, "side": int(side),
                       "parameters": int(count), "folder": os.path.join(NETS, library, family)}


def sha(*parts):
    """Of files, where a part is a path that is there, else of the text."""
    h = hashlib.sha256()
    for part in parts:
        if os.path.exists(part):
            with open(part, "rb") as f:
                while block := f.read(1 << 20):
                    h.update(block)
        h.update(part.encode() + b"\0")
    return h.hexdigest()


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def write(path, value):
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1)
    os.replace(path + ".new", path)


def forked(log, fn, *args):
    """Runs it in a process of its own; None, or in a line why it did not end well."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with open(log, "wb") as f:
                os.dup2(f.fileno(), 1)
                os.dup2(f.fileno(), 2)
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            fn(*args)
            code = 0
        except BaseException as e:  # a network of others may do anything
            text = (str(e).strip().splitlines() or [""])[0]
            os.write(2, f"\n{type(e).__name__}: {text}".encode())
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    if status == 0:
        return None
    if os.WIFSIGNALED(status):
        late = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        return f"takes more than {SECONDS} seconds" if late else f"killed by signal {os.WTERMSIG(status)}"
    with open(log, encoding="utf-8", errors="replace") as f:
        return f.read().strip().splitlines()[-1][:300]


def made(n, way):
    """What PyTorch and its exporter give; a text where they fail."""
    import make
    key = sha(os.path.join(HERE, "make.py"), os.path.join(HERE, "requirements.txt"), n["library"],
              n["name"], str(n["side"]))
    stamp = os.path.join(n["folder"], f"made-{way}.json")
    known = read(stamp)
    if known.get("key") != key:
        os.makedirs(n["folder"], exist_ok=True)
        log = os.path.join(n["folder"], f"make-{way}.log")
        known = {"key": key, "failed": forked(log, make.make, n["library"], n["name"], n["side"], way,
                                              n["folder"])}
        write(stamp, known)
    return known["failed"]


def checked(n, way, programs):
    """Found by the exporter's file; see check.py."""
    import check
    files = [os.path.join(n["folder"], way + end) for end in (".onnx", ".onnx.data")]
    key = sha(os.path.join(HERE, "check.py"), *programs, *files)
    path = os.path.join(n["folder"], f"checked-{way}.json")
    known = read(path)
    if known.get("key") == key:
        return
    trains = not report.reached(report.load(n).get("script", {}), "trains") or way == "script"
    result = path + ".found"
    failed = forked(os.path.join(n["folder"], f"check-{way}.log"), lambda: write(
        result, check.check(programs, n["folder"], n["side"], way, trains)))
    write(path, {"key": key, "found": {"export": failed} if failed else read(result)})


def look(n, way, programs):
    failed = made(n, way)
    if failed:
        write(os.path.join(n["folder"], f"checked-{way}.json"), {"found": {"export": failed}})
    else:
        checked(n, way, programs)


def main(args):
    if args == ["--report"]:
        report.write(list(networks()), os.path.join(ROOT, "docs", "coverage.md"))
        return 0
    python = environment.interpreter(ENVIRONMENT, os.path.join(HERE, "requirements.txt"))
    if not python:
        print("SKIP: no PyTorch")
        return 77
    if os.path.abspath(sys.prefix) != os.path.abspath(ENVIRONMENT):
        os.execv(python, [python, os.path.abspath(__file__), *args])
    programs, families = [os.path.abspath(p) for p in args[:4]], args[4:]
    lost = 0
    chosen = [n for n in networks() if not families or n["family"] in families]
    for way in report.WAYS:
        for n in chosen:
            look(n, way, programs)
            print(f"{n['library']} {n['family']} {way}: {', '.join(report.stages(n)) or 'nothing'}", flush=True)
    for n in chosen:
        less = [s for s in report.expected(n) if s not in report.stages(n)]
        lost += bool(less)
        if less:
            print(f"{n['library']} {n['family']}: no longer {', '.join(less)}")
    return lost != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
