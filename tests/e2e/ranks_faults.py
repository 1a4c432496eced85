# SPDX-License-Identifier: Apache-2.0
"""Ranks that die, hang, differ or cannot go on end the run on all ranks, told in a line that names the
rank and the host; the checkpoint is whole, and the run goes on, with any number of ranks, in the bits
of one that nothing happened to.

usage: ranks_faults.py DETENT [KILLS [SEED]]
"""
import os
import random
import shutil
import signal
import socket
import subprocess
import time

from launch import Launcher, own_lines
from support import RECIPE, SKIP, Test, leftovers, main, png

HOST = socket.gethostname()
# 60 steps of four batches, a checkpoint every few steps.
LIVELY = ["train.epochs=6", "train.accumulate=4", "data.train_pictures=1280",
          "train.save_minutes=0.002", "--threads", 1]
LIMIT = 3


def rank_of(pid):
    """The rank of a process under an MPI launcher, or None."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            words = dict(w.split(b"=", 1) for w in f.read().split(b"\0") if b"=" in w)
    except OSError:
        return None
    for name in b"OMPI_COMM_WORLD_RANK", b"PMI_RANK":
        if name in words:
            return int(words[name])
    return None


def below(pid):
    """All processes below one."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat") as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, NotADirectoryError):
            continue
        if name.isdigit() and parent == pid:
            found += [int(name)] + below(int(name))
    return found


def ranks_of(test, launcher):
    return {rank_of(pid): pid for pid in below(launcher.pid)
            if os.path.exists(f"/proc/{pid}/exe") and
            os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(test.detent)}


def begin(launch, ranks, *args):
    """A run under way: its first step has been told."""
    process = launch.start(ranks, *args)
    told = []
    for line in process.stderr:
        told.append(line)
        if line.startswith("epoch 1 step"):
            return process
    raise SystemExit("the run did not begin:\n" + "".join(told))


def end(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, own_lines(err), err


def same(test, folder, whole, what):
    for name in "last.h5", "best.h5":
        with open(os.path.join(whole, name), "rb") as a, open(os.path.join(folder, name), "rb") as b:
            test.check(a.read() == b.read(), f"{what}: {name} differs from the undisturbed run's")
    test.check(not leftovers(folder), f"{what}: left {leftovers(folder)}")


def go_on(test, launch, ranks, args, folder, whole, what):
    """Whatever there is of a run can be read, and leads to the same end."""
    last = os.path.join(folder, "last.h5")
    if os.path.exists(last):
        test.check(len(test.sha256(last)) == 64, f"{what}: last.h5 is not whole")
    launch.succeed(ranks, *args, "--resume", "--out", folder)
    same(test, folder, whole, what)


def kills(test, launch, args, whole, seconds, count, rng):
    folder, done, steps, finished = test.path("killed"), 0, [], 0
    while done < count:
        process = launch.start(rng.choice((2, 4)), *args, "--resume", "--out", folder)
        time.sleep(rng.uniform(0.3, seconds))
        found = ranks_of(test, process)
        if found and process.poll() is None:
            victim = rng.choice(sorted(found))
            os.kill(found[victim], signal.SIGKILL)
            code, _, err = end(process)
            if code == 0: # it had come to its end
                same(test, folder, whole, "the kill came late")
                shutil.rmtree(folder)
                continue
            done += 1
            test.check(f"rank {victim} " in err and HOST in err,
                       f"the launcher names the killed rank {victim}: {err[-600:]}")
        elif end(process)[0] == 0:
            same(test, folder, whole, f"after {done} kills")
            finished += 1
            shutil.rmtree(folder)
            continue
        last = os.path.join(folder, "last.h5")
        if os.path.exists(last):
            told = test.succeed("inspect", last).splitlines()
            steps += [line.split()[1] for line in told if line.startswith("step ")][:1]
    go_on(test, launch, 1, args, folder, whole, "after the last kill, one process")
    print(f"{done} kills of a rank; steps on disk after them: {' '.join(steps)}")
    test.check(len(set(steps)) > 1 or count < 3, "kills came at one moment only")


def hangs(test, launch, args, whole):
    """A rank is stopped for longer than the limit; one of the others tells it."""
    for victim in 1, 0:
        folder = test.path(f"hung{victim}")
        process = begin(launch, 4, *args, "--comm-seconds", LIMIT, "--out", folder)
        os.kill(ranks_of(test, process)[victim], signal.SIGSTOP)
        start = time.monotonic()
        code, lines, err = end(process)
        seconds = time.monotonic() - start
        told = [line for line in lines if line.startswith("rank ")]
        test.check(code != 0 and told == [f"rank {victim} on {HOST}: has been silent for {LIMIT} s"],
                   f"rank {victim} hangs: {code}, {told}\n{err}")
        test.check(LIMIT <= seconds < 8 * LIMIT, f"told after {seconds:.1f} s")
        go_on(test, launch, 2, args, folder, whole, f"rank {victim} hung")


def stops(test, launch, args, whole):
    """SIGTERM to the launcher: all ranks end after the same step, saved."""
    folder = test.path("stopped")
    process = begin(launch, 2, *args, "train.save_minutes=0", "--out", folder)
    process.send_signal(signal.SIGTERM)
    _, lines, err = end(process)
    test.check("stopped; resume with --resume" in lines, f"SIGTERM: {err}")
    test.check(os.path.exists(os.path.join(folder, "last.h5")), "SIGTERM: nothing was saved")
    go_on(test, launch, 4, args, folder, whole, "SIGTERM")


def make_pictures(root):
    for split, count in ("train", 24), ("test", 4):
        for kind in range(2):
            folder = os.path.join(root, split, f"class{kind}")
            os.makedirs(folder)
            for i in range(count):
                rows = [bytes((7 * i + 13 * y + 90 * kind + k) % 256 for k in range(96))
                        for y in range(32)]
                with open(os.path.join(folder, f"{i:02d}.png"), "wb") as f:
                    f.write(png(32, 32, rows))


def expect_one_line(test, launch, wanted, args, other, what):
    """`other` is added on rank 1."""
    code, _, err = launch.run(1, *args, ":", *args, *other)
    told = [line for line in own_lines(err) if line.startswith("rank ")]
    test.check(code == 1 and len(told) == 1 and all(w in told[0] for w in wanted),
               f"{what}: {code}, {told}\n{err}")


def data_differs(test, launch):
    """The files on the other machine are not the same, or one of them is broken."""
    for name in "data", "less", "broken":
        make_pictures(test.path(name))
    os.unlink(test.path("less", "train", "class1", "05.png"))
    for i in range(24):
        broken = test.path("broken", "train", "class1", f"{i:02d}.png")
        with open(broken, "r+b") as f:
            f.truncate(60)
    recipe = test.write("folder.yaml", "model: {name: smallcnn, classes: 2, width: 8}\n"
                        "data: {name: folder, batch: 4}\n"
                        "train: {epochs: 2, accumulate: 2, optimizer: {lr: 0.01}}\neval: {batch: 4}\n")
    out = test.path("differs")
    args = ["train", recipe, "--threads", 1, "--out", out, "data.root=" + test.path("data")]
    expect_one_line(test, launch, ["rank 1 on " + HOST, "another data set"], args,
                    ["data.root=" + test.path("less")], "another data set")
    expect_one_line(test, launch, ["rank 1 on " + HOST, test.path("broken"), ".png"], args,
                    ["data.root=" + test.path("broken")], "a picture that cannot be read")
    test.check(not leftovers(out), f"left {leftovers(out)}")


def full_disk(test, launch, args):
    """The run folder is on a file system with no room for a checkpoint."""
    disk = test.path("disk")
    os.mkdir(disk)
    command = " ".join(launch.command(2, *args, "--out", os.path.join(disk, "run")))
    script = f"mount -t tmpfs -o size=200k none {disk} && {command}; code=$?; " \
             f"ls {disk}/run >&2; exit $code"
    found = subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL)
    if found.returncode != 0:
        test.skip("a full disk: mounts are not allowed here")
        return
    process = subprocess.run(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=launch.environment(), timeout=300)
    told = [line for line in own_lines(process.stderr) if line.startswith("rank ")]
    test.check(process.returncode == 1 and len(told) == 1 and f"rank 0 on {HOST}" in told[0] and
               "No space left" in told[0], f"a full disk: {told}\n{process.stderr}")
    test.check(".tmp" not in process.stderr, "a full disk: half a file is left\n" + process.stderr)


def run(args):
    test = Test(args[0])
    launch = Launcher(test)
    if launch.missing():
        print("SKIP", launch.missing())
        return SKIP
    count = int(args[1]) if len(args) > 1 else 20
    seed = int(args[2]) if len(args) > 2 else time.time_ns() % 100000
    print(launch.name, "seed", seed, flush=True)
    recipe, whole = test.write("r.yaml", RECIPE), test.path("whole")
    lively = ["train", recipe, *LIVELY]
    test.succeed(*lively, "--out", whole)
    start = time.monotonic()
    launch.succeed(2, *lively, "--out", test.path("two"))
    seconds = time.monotonic() - start
    same(test, test.path("two"), whole, "two ranks")
    data_differs(test, launch)
    full_disk(test, launch, lively)
    stops(test, launch, lively, whole)
    hangs(test, launch, lively, whole)
    kills(test, launch, lively, whole, seconds, count, random.Random(seed))
    return test.end()


main(run)
