# SPDX-License-Identifier: Apache-2.0
"""What was found of every network, as stages and as a table. What no run of this folder has looked at stays as
the table and reached.json have it."""
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
NOT_RUN = "not run"
WAYS = {"script": "TorchScript", "dynamo": "dynamo"}
HEAD = """\
# Coverage

Networks of torchvision and timm, chosen by a rule that knows nothing of what Detent reads
(`tests/coverage/choose.py`): every classification family of torchvision and {timm} modules of timm, each with
its smallest member, at the smallest picture that it takes, in a batch of 4. Weights are random and running
statistics estimated, so this proves the plumbing and no accuracy. Made by `meson test -C build coverage
--suite long` and `tests/coverage/run.py --report`. A row is of the last run of its family; where only one
exporter's file was looked at, it says so.

- *imports*: the files of PyTorch's exporters (TorchScript with an open number of pictures, opset 17; dynamo,
  opset 18) become graphs whose logits are those of onnxruntime, to 1e-4 of 1 + the largest. The largest
  difference of both is told.
- *gradients*: the largest difference of a tensor's gradient from PyTorch's, relative to its norm, both in
  double, in training mode; parameters that the exporter computed itself are counted behind it.
- *trains*: loss before and after 20 steps of 4-bit weights and activations (LSQ, AdamW, a hundredth of the rate
  for scales) on the batch.
- *verified*: codes and logits of the exported file that differ in onnxruntime, of how many, and the share of
  multiplications that are done in integers. One code, or less than 95 %, is not counted. Where parts of a net stay
  in float (norms, softmaxes of small steps), a value that lies within 1/256 of a step of the middle between two codes
  may become either; how many did is told as ties.

"""


def load(n):
    """{exporter: what check.py found of its file}"""
    found = {}
    for way in WAYS:
        try:
            with open(os.path.join(n["folder"], f"checked-{way}.json"), encoding="utf-8") as f:
                found[way] = json.load(f)["found"]
        except (OSError, ValueError, KeyError):
            found[way] = {}
    return found


def reached(r, what):
    return what in r and not (isinstance(r[what], dict) and "missed" in r[what])


def stages(n):
    """Names of all that is reached: "import script", "gradients", ..."""
    found = load(n)
    out = [f"import {way}" for way in WAYS if reached(found.get(way, {}), "logits")]
    for what in ("gradients", "trains", "exports", "verified"):
        if any(reached(r, what) for r in found.values()):
            out.append(what)
    return out


def expected(n):
    """What was reached when reached.json was written."""
    with open(os.path.join(HERE, "reached.json"), encoding="utf-8") as f:
        return json.load(f).get(n["library"] + " " + n["family"], [])


def remembered(n):
    """What reached.json says from now on: a file that was not looked at this time is expected to come in as before."""
    if not is_known(n):
        return expected(n)
    found, before, now = load(n), expected(n), stages(n)
    ways = [f"import {way}" for way in WAYS]
    kept = [s for way, s in zip(WAYS, ways) if s in now or (not found[way] and s in before)]
    return kept + [s for s in now if s not in ways]


def escape(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def imports(found):
    parts = []
    for way, title in WAYS.items():
        r = found.get(way, {})
        if reached(r, "logits"):
            parts.append((r["logits"], title))
    if not parts:
        return "-"
    return (" and ".join(t for _, t in parts) if len(parts) < len(WAYS) else "both") + f", {max(parts)[0]:.0e}"


def first(found, what, text):
    for r in found.values():
        if reached(r, what):
            return text(r[what])
    return "-"


def verified(v):
    return f"{v[0]} of {v[1]:,}, {v[2]:.1f} %" + (f", {v[3]} at ties" if v[3:] and v[3] else "")


def why(found):
    """The first thing that is missing, by exporter: node, operator, reason."""
    out = []
    for way, title in WAYS.items():
        r = found.get(way, {})
        if not r and any(found.values()):
            out.append(f"{title}: {NOT_RUN}")
        for what, said in r.items():
            if what == "export":
                out.append(f"{title}: not exported: {said}")
            elif what == "refused" and said and "missed" not in said:
                node, op, reason = said[0]
                more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
                out.append(f"{title}: `{node or 'a node'}`: {op}: {reason}{more}")
            elif isinstance(said, dict) and "missed" in said:
                out.append(f"{title}: {what}: {said['missed']}")
    if not any(found.values()):
        return NOT_RUN
    return "; ".join(escape(o) for o in out)


def is_known(n):
    """Has a run of this folder looked at it?"""
    return any(load(n).values())


def old_rows(path):
    """{(library, family, "network, side"): row} of the table that is there."""
    out, library = {}, ""
    with open(path, encoding="utf-8") as f:
        for line in f.read().splitlines():
            if line.startswith("## "):
                library = line[3:]
            cells = line.strip("|").split(" | ")
            if line.startswith("| ") and len(cells) == 7:
                out[library, cells[0].strip(), cells[1]] = line
    return out


def was_run(n, old):
    return is_known(n) or not old.get(key(n), f"| {NOT_RUN} |").endswith(f"| {NOT_RUN} |")


def key(n):
    return n["library"], n["family"], f"{n['name']}, {n['side']}"


def row(n, old):
    found = load(n)
    if not is_known(n) and key(n) in old:
        return old[key(n)]
    cells = [f"{n['family']}", f"{n['name']}, {n['side']}", imports(found),
             first(found, "gradients", lambda g: f"{g[0]:.0e}" + (f", {len(g[1])}" if g[1] else "")),
             first(found, "trains", lambda t: f"{t[0]:.2f} to {t[1]:.2f}"),
             first(found, "verified", verified), why(found)]
    return "| " + " | ".join(cells) + " |"


def counts(networks, library, old):
    run = [n for n in networks if n["library"] == library and was_run(n, old)]
    mine = [stages(n) if is_known(n) else expected(n) for n in run]
    told = [f"{sum(s in m for m in mine)} {title}" for s, title in
            [("import script", "import from TorchScript"), ("import dynamo", "from dynamo"),
             ("gradients", "have PyTorch's gradients"), ("trains", "train"), ("exports", "export"),
             ("verified", "are verified")]]
    left = sum(n["library"] == library for n in networks) - len(run)
    return f"Of {len(mine)} {', '.join(told)}." + (f" {left} were not run." if left else "") + "\n"


def write(networks, path):
    old = old_rows(path)
    reached_now = {n["library"] + " " + n["family"]: remembered(n) for n in networks}
    with open(path, "w", encoding="utf-8") as f:
        f.write(HEAD.format(timm=sum(n["library"] == "timm" for n in networks)))
        for library in ("torchvision", "timm"):
            f.write(f"## {library}\n\n" + counts(networks, library, old) + "\n")
            f.write("| family | network, side | imports | gradients | trains | verified | what is missing |\n")
            f.write("| --- | --- | --- | --- | --- | --- | --- |\n")
            for n in networks:
                if n["library"] == library:
                    f.write(row(n, old) + "\n")
            f.write("\n")
    with open(os.path.join(HERE, "reached.json"), "w", encoding="utf-8") as f:
        json.dump(reached_now, f, indent=0)
        f.write("\n")
