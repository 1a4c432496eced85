# SPDX-License-Identifier: Apache-2.0
"""Manual pages without a warning of groff, with every verb, option and key; completion in bash, zsh
and fish.

usage: pages.py DETENT FOLDER     FOLDER has what cli/pages.py made
"""
import json
import os
import re
import shutil
import subprocess
import sys

detent, folder = sys.argv[1:]
failures = []


def check(good, text):
    if not good:
        failures.append(text)


def output(*args, **options):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, **options).stdout


def page(name):
    """As it is read, without the strokes of a printer."""
    done = subprocess.run(["groff", "-ww", "-man", "-Tascii", "-P-cbou", "-rLL=10000n",
                           os.path.join(folder, name)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    check(done.returncode == 0 and not done.stderr, f"{name}: {done.stderr[:300]}")
    return done.stdout


def bash(*words):
    """What bash offers for the last word."""
    script = (f"source '{os.path.join(folder, 'detent.bash')}'; COMP_WORDS=({' '.join(words)}); "
              f"COMP_CWORD={len(words) - 1}; _detent; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    return output("bash", "-c", script).split()


def lists():
    """The help of `list` names all that there are, and each is listed."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "cli", "cmd_list.c")
    with open(source, encoding="utf-8") as f:
        there = re.findall(r'^    \{ "(\w+)", (?:&|NULL)', f.read(), re.M)
    told = " ".join(output(detent, "list", "--help").split())
    names = re.split(r", | and ", re.search(r"WHAT is one of (.*?)\.", told)[1])
    check(len(there) > 10 and sorted(there) == sorted(names), f"list: {there}, its help {names}")
    for name in names:
        check(json.loads(output(detent, "list", name, "--json")), f"list {name}: nothing")


def main():
    manual, recipe = page("detent.1"), page("detent-recipe.5")
    for line in output(detent, "--help").splitlines():
        verb = re.match(r"  detent (\S+)", line)
        if not verb:
            continue
        check(f"detent {verb[1]}" in manual, f"detent.1: no {verb[1]}")
        options = set(re.findall(r"--[a-z0-9-]+", output(detent, verb[1], "--help")))
        options -= {"--usage", "--help"}
        missing = [o for o in options if o not in manual]
        check(not missing, f"detent.1: {verb[1]} lacks {missing}")
        offered = bash("detent", verb[1], "--")
        if verb[1] not in ("data", "report"):  # their help names an option of another verb
            check(options <= set(offered), f"bash: {verb[1]} lacks {options - set(offered)}")
    lists()
    for key in json.loads(output(detent, "list", "keys", "--json")):
        check(key["key"] in recipe, f"detent-recipe.5: no {key['key']}")
    check(bash("detent", "tr") == ["train"], f"bash: {bash('detent', 'tr')}")
    check(bash("detent", "list", "quant") == ["quantizers"], "bash: list quant")
    check("train.epochs=" in bash("detent", "train", "r.yaml", "train.ep"), "bash: train.ep")
    shells = {"zsh": "_detent", "fish": "detent.fish"}
    for shell, name in shells.items():
        if not shutil.which(shell):
            print(f"SKIP {shell}: is not installed")
            continue
        check(not output(shell, "-n", os.path.join(folder, name)), f"{shell}: {name} is no script")
    if shutil.which("fish"):
        for line, want in ("detent tr", "train\t"), ("detent eval --pred", "--predictions\t"), \
                ("detent list quantiz", "quantizers"), ("detent train train.ep", "train.epochs="):
            told = output("fish", "--no-config", "-c", f"source '{os.path.join(folder, 'detent.fish')}'; "
                          f"complete -C '{line}'")
            check(want in told, f"fish: {line}: {told!r}")
    print("\n".join(failures) or "no failure")
    return 1 if failures else 0


sys.exit(main())
