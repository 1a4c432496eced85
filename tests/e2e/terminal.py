# SPDX-License-Identifier: Apache-2.0
"""What a run shows on terminals of 60, 80 and 200 columns, on a dumb one, on none, and its colours.

usage: terminal.py DETENT"""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

from support import RECIPE, Test, default_signals, main

REDRAWN = re.compile(r"\r([^\r\n]*?)\x1b\[K")
COLOUR = re.compile(r"\x1b\[3\dm")


def on_terminal(test, columns, *args, **environment):
    """Everything that the program writes to a terminal so wide."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    env |= {"OMP_WAIT_POLICY": "passive", "LC_ALL": "C", "TERM": "xterm"} | environment
    process = subprocess.Popen([test.detent, *args], stdin=its, stdout=its, stderr=its, env=env,
                               preexec_fn=default_signals)
    test.processes.append(process)
    os.close(its)
    text = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    return process.wait(), text.decode()


def lists(test):
    """What is listed is broken between words, and a line each where no terminal is."""
    for words in ["list", "quantizers"], ["list", "keys"], ["list", "layers"], ["--help"], ["quantize", "--help"]:
        plain = test.succeed(*words)
        for columns in 60, 80, 200:
            code, shown = on_terminal(test, columns, *words)
            lines = shown.replace("\r\n", "\n").split("\n")
            longest = max(map(len, plain.split()))  # a word that is wider stays whole
            widest = max(map(len, lines))
            test.check(code == 0 and widest <= max(columns, longest + 4), f"{words}: {columns} columns: {widest}")
            if "--help" not in words[1:]:  # argp's has other blanks
                test.check(shown.split() == plain.split(), f"{words}: {columns} columns: other words")
    test.check(max(map(len, test.succeed("list", "quantizers").splitlines())) > 80, "broken without a terminal")


def run(args):
    test = Test(args[0])
    lists(test)
    recipe = test.write("recipe.yaml", RECIPE.replace("train_pictures: 320", "train_pictures: 3200"))
    for columns in 60, 80, 200:
        out = test.path(str(columns))
        code, text = on_terminal(test, columns, "train", recipe, "train.epochs=1", "--out", out)
        lines = [line for line in REDRAWN.findall(text) if line.startswith("epoch ")]
        test.check(code == 0 and lines, f"{columns} columns: no progress: {code} {text}")
        widest = max(map(len, lines), default=0)
        test.check(widest < columns, f"{columns} columns: a line of {widest}")
        test.check(all("  ETA " in line for line in lines), f"{columns} columns: {lines}")
        told = [field in "".join(lines) for field in (" loss ", " top-1 ", " lr ")]
        test.check(told[:2] == [True, columns > 60] and (told[2] or columns < 200),
                   f"{columns} columns: what is left out: {lines[-1:]}")
        test.check(COLOUR.search(text), f"{columns} columns: no colour of the warning")
        print(columns, lines[-1:])
    for what, environment in ("NO_COLOR", {"NO_COLOR": "1"}), ("dumb", {"TERM": "dumb"}):
        code, text = on_terminal(test, 80, "train", recipe, "train.epochs=1", "--out",
                                 test.path(what), **environment)
        test.check(code == 0 and not COLOUR.search(text), f"{what}: colours in {text!r}")
        test.check(("\x1b" in text) == (what != "dumb"), f"{what}: {text!r}")
    code, out, err = test.run("train", recipe, "train.epochs=1", "--out", test.path("none"))
    test.check(code == 0 and "\x1b" not in out + err and "\r" not in out + err,
               f"no terminal: {err!r}")
    test.check("warning: no model.init" in err, err)
    code, text = on_terminal(test, 80, "train", test.path("none.yaml"))
    test.check(code == 1 and COLOUR.search(text) and text.count("\n") == 1, f"a refusal: {text!r}")
    return test.end()


main(run)
