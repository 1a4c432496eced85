# SPDX-License-Identifier: Apache-2.0
"""Ranks that MPI starts give the bits of one process: smallcnn with LSQ, everything beside the
optimizer that keeps state, and phases; and what is wrong on one rank ends all of them with one line.

usage: ranks.py DETENT [long]
"""
import json
import os

from launch import Launcher, own_lines
from support import DYNAMICS, SKIP, TEACHER, Test, leftovers, main


def same_files(test, whole, folder, what):
    for name in "last.h5", "best.h5":
        with open(os.path.join(whole, name), "rb") as a, open(os.path.join(folder, name), "rb") as b:
            test.check(a.read() == b.read(), f"{what}: {name} differs from one process's")
    test.check(not leftovers(folder), f"{what}: left {leftovers(folder)}")
    test.check(os.path.exists(os.path.join(folder, "DONE")), f"{what}: no DONE")


def expect_line(test, launch, wanted, *args, ranks=2, **options):
    code, out, err = launch.run(ranks, *args, **options)
    lines = [line for line in own_lines(err) if not line.startswith(("override:", "recipe "))]
    test.check(code == 1 and len(lines) == 1 and all(w in lines[0] for w in wanted),
               f"{args}: {code}, expected {wanted} in one line\n{err}")


def run(args):
    test = Test(args[0])
    launch = Launcher(test)
    if launch.missing():
        print("SKIP", launch.missing())
        return SKIP
    print(launch.name)
    recipe, teacher = test.write("r.yaml", DYNAMICS), test.write("teacher.yaml", TEACHER)
    test.succeed("train", teacher, "--out", test.path("teacher"))
    # Pictures for ten batches: five steps an epoch, six epochs; the last batch of the test split is
    # not full.
    steps = ["train", recipe, "train.accumulate=2", "data.val=20", "data.train_pictures=340",
             "data.test_pictures=150", "--threads", 1]
    short = [*steps, "train.max_steps=8"]
    test.succeed(*short, "--out", test.path("whole8"))
    out, err = launch.succeed(2, *short, "--out", test.path("shared8"))
    same_files(test, test.path("whole8"), test.path("shared8"), "two ranks, 8 steps")
    test.check("ranks: 2 with up to 1 batches" in err and out.count("last step 8") == 1, out + err)

    out, _ = launch.succeed(3, "bench", "ranks", "--steps", 3, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    test.check([row["numbers"] for row in rows] == [4 ** k for k in range(4, 13)] and
               all(row["ranks"] == 3 and row["ms"] > 0 and
                   abs(row["bytes"] - 16 / 3 * row["numbers"] - 2 * 520) < 600 for row in rows), out)

    expect_line(test, launch, ["bench ranks", " bytes of memory are needed", "--memory", "fewer"],
                "bench", "ranks", "--steps", 3, "--memory", "100M")

    never = test.path("never")
    expect_line(test, launch, ["train.accumulate", "2 batches a step", "3 ranks", "2 ranks can"],
                *steps, "--out", never, ranks=3)
    expect_line(test, launch, ["rank 1 on", "another recipe"], *steps, "--out", never, ":",
                *steps, "--out", never, "train.seed=4", ranks=1)
    if args[1:] == ["long"]:
        whole_runs(test, launch, steps, recipe, never)
    test.check(not os.path.exists(os.path.join(never, "last.h5")), "nothing was written")
    return test.end()


def whole_runs(test, launch, steps, recipe, never):
    whole, shared = test.path("whole"), test.path("shared")
    test.succeed(*steps, "--out", whole)
    out, err = launch.succeed(2, *steps, "--out", shared)
    same_files(test, whole, shared, "two ranks")
    test.check(out.count("last step 30") == 1 and out.count("epoch ") == 6, out)

    # Stopped by one process, gone on with by two, and the other way round.
    for first, then in (1, 2), (2, 1):
        folder = test.path(f"from{first}")
        launch.succeed(first, *steps, "train.max_steps=13", "--out", folder)
        launch.succeed(then, *steps, "--resume", "--out", folder)
        same_files(test, whole, folder, f"{first} ranks, then {then}")

    # Five batches among three ranks are 2, 2 and 1.
    odd = ["train", recipe, "train.accumulate=5", "train.max_steps=5", "--threads", 1]
    test.succeed(*odd, "--out", test.path("odd1"))
    launch.succeed(3, *odd, "--out", test.path("odd3"))
    same_files(test, test.path("odd1"), test.path("odd3"), "three ranks")

    expect_line(test, launch, ["train.epochz: unknown key"], *steps, "train.epochz=1",
                "--out", never)
    other = [*steps, "--out", never, ":", *steps, "--out", never]
    for wrong, wanted in (["--isa", "scalar"], "tier"), (["--no-fuse"], "fused graph"):
        expect_line(test, launch, ["rank 1 on", wanted], *other, *wrong, ranks=1)


main(run)
