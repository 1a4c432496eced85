# SPDX-License-Identifier: Apache-2.0
"""detent report: one page that needs nothing beside itself, with the numbers of eval and inspect; in
Chromium no error, curves that are drawn, at two widths, light and dark.

usage: report.py DETENT"""
import html
import json
import os
import re
import shutil
import subprocess

from predict import CLASSES, draw
from support import RECIPE, Test, leftovers, main

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


def data_of(page):
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page,
                                re.S).group(1))


def cells(page):
    return [html.unescape(c) for c in re.findall(r"<td[^>]*>([^<]*)</td>", page)]


def in_browser(test, path, *options):
    """(the page after its scripts ran, what the console said)"""
    done = subprocess.run([BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom",
                           "--enable-logging=stderr", "--virtual-time-budget=3000",
                           f"--user-data-dir={test.path('browser')}", *options, "file://" + path],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def run(args):
    test = Test(args[0])
    draw(test)
    text = RECIPE.replace("width: 8", "width: 8, classes: 3").replace(
        "name: builtin, batch: 32", "name: folder, root: set, batch: 12").replace(
        ", train_pictures: 320, test_pictures: 64", "")
    recipe = test.write("recipe.yaml", text)
    test.succeed("train", recipe, "train.epochs=2", "train.log_steps=5",
                 "dynamics={oscillation: {momentum: 0.1}, freezing: {start: 0.2, end: 0.05, momentum: 0.1}}",
                 "--out", test.path("a"))
    test.succeed("train", recipe, "quant=none", "train.max_steps=3", "--out", test.path("b"))
    with open(test.path("a", "sensitivity.json"), "w") as f:
        f.write(test.succeed("sensitivity", recipe, "model.init=" + test.path("a", "last.h5"),
                             "ptq.images=32", "--budget", "bits=4", "--widths", "2,4,8", "--json"))
    label = 'b & <i>"c"</i>'
    out = test.path("report.html")
    test.succeed("report", test.path("a"), f"{test.path('b')}={label}", "--out", out)
    with open(out, encoding="utf-8") as f:
        page = f.read()
    test.check(os.path.getsize(out) < 3_000_000, f"{os.path.getsize(out)} bytes")
    test.check(html.escape(label) in page and label not in page.replace(json.dumps(label), ""),
               "a label is markup")
    outside = re.findall(r"""(?:src|href)\s*=\s*["']?(?!data:)[^"'> ]+|@import|url\(""",
                         re.sub(r"<script>.*?</script>", "", page, flags=re.S))
    test.check(not outside, f"the page wants {outside}")

    told, seen = data_of(page), cells(page)
    with open(test.path("a", "metrics.jsonl")) as f:
        lines = [json.loads(line) for line in f]
    steps = [[e["step"], e["loss"]] for e in lines if e["kind"] == "step"]
    loss = next(c for c in told["curves"] if c["title"].startswith("Loss"))
    test.check(told["runs"] == ["a", label] and
               next(l["points"] for l in loss["lines"] if l["run"] == 0 and l["style"] == "thin") ==
               steps and len(steps) == 4, f"curves: {loss}")
    last = [e for e in lines if e["kind"] == "epoch"][-1]
    test.check(f"{last['test_top1']:.2f}" in seen and f"{last['test_loss']:.4f}" in seen, "summary")
    info = json.loads(test.succeed("inspect", test.path("a", "last.h5"), "--json"))
    for layer in info["layers"]:
        test.check(layer["name"] in seen and f"{layer['macs']:,}" in seen and
                   f"{layer['bops']:,}" in seen and f"weights of {layer['name']}" in page,
                   f"layer {layer['name']}")
    test.check(info["class.names"].split("\n") == list(CLASSES), "class names")

    # What oscillates and what is frozen, layer by layer, as the log has it at the end.
    at_end = {(e["layer"], e["kind"]): e for e in lines if e["kind"] in ("oscillation", "freezing")}
    for layer in "conv2.weight", "all":
        for kind, key in ("oscillation", "flip_rate"), ("oscillation", "oscillating"), ("freezing", "frozen"):
            test.check(f">{100 * at_end[layer, kind][key]:.3g}</td>" in page, f"{key} of {layer}")
    table = page.split("<h3>Oscillation</h3>")[1].split("</table>")[0]
    test.check(table.count("<tr>") == 2 + len({l for l, k in at_end if k == "oscillation" and l != "all"}),
               f"oscillation: {table}")

    # Activations over their grids, as inspect counts them; what layers mind, and the front.
    counted = json.loads(test.succeed("inspect", test.path("a", "last.h5"), "--images", "200",
                                      "--json"))
    for site in counted["sites"]:
        if site["side"] == "activations":
            count = sum(site["histogram"])
            inside = sum(site["histogram"][6:54]) / max(count, 1)
            test.check(f'aria-label="values of {site["name"]}"' in page and count > 0 and
                       count % 36 == 0 and abs(inside + site["clipped"] - 1) < 0.02,
                       f"{site['name']}: {count} values, {inside} inside, {site['clipped']} clipped")
    with open(test.path("a", "sensitivity.json")) as f:
        sense = json.load(f)
    front = next(c for c in told["curves"] if c.get("place") == "front-0")
    test.check([l["points"] for l in front["lines"]] ==
               [[[p["cost"], p["damage"]] for p in sense["front"]], [[sense["cost"], sense["damage"]]]]
               and sense["cost"] <= sense["budget"] == 4 and 'id="front-0"' in page,
               f"the front: {front}")
    test.check(all(f"{d:.3g}" in seen for l in sense["layers"] for d in l["damage"]), "damages")

    # Confusion: its diagonal is what eval counts, and wrong pictures are shown.
    score = json.loads(test.succeed("eval", test.path("a", "last.h5"), "--json"))
    rows = re.search(r"<table class=confusion>(.*?)</table>", page, re.S).group(1)
    counts = [[int(v or 0) for v in re.findall(r"<td[^>]*>(\d*)</td>", row)]
              for row in rows.split("<tr>")[2:]]
    test.check([len(c) for c in counts] == [3] * 3 and sum(map(sum, counts)) == 36 and
               sum(counts[i][i] for i in range(3)) == score["correct"], f"confusion: {counts}")
    wrong = min(12, 36 - score["correct"])
    first = page.split("<h3>Integer model")[0]
    test.check(first.count("data:image/png;base64,") == wrong, f"{wrong} worst pictures")
    test.check("Verified." in page and "have the class of the float net" in page, "verification")
    test.check("detent train recipe.yaml" in page and "bits: 4" in page, "recipe")

    # A net that was quantized without training: its report instead of curves, and a row of a table. The
    # recipe has dynamics, of which it has no state.
    test.succeed("quantize", test.path("a", "recipe.yaml"), "model.init=" + test.path("b", "last.h5"),
                 "ptq.method=nearest", "ptq.images=24", "--out", test.path("q"))
    test.succeed("report", test.path("q"), test.path("a"), "--out", test.path("q.html"))
    with open(test.path("q.html"), encoding="utf-8") as f:
        page = f.read()
    with open(test.path("q", "report.json")) as f:
        quantized = json.load(f)
    seen = cells(page)
    test.check(f"{quantized['integer']['top1']:.2f}" in seen and f"{quantized['integer']['kl']:.3g}" in seen and
               all(l["layer"] in seen and f"{l['sqnr_db']:.1f}" in seen for l in quantized["layers"]) and
               "values of conv1.input_quant" in page and page.count("<table class=confusion>") == 2 and
               page.count("Verified.") == 2 and "detent quantize recipe.yaml" in page, "a quantized net")
    text = test.succeed("table", test.path("q"), test.path("a"), "--format", "csv")
    test.check(f"{quantized['integer']['top1']:.2f}" in text and text.count("\n") == 3, text)
    test.write("q/report.json", "[]")
    code, _, err = test.run("report", test.path("q"), "--quick", "--out", test.path("x.html"))
    test.check(code == 1 and "report.json: is not what 'detent quantize' writes" in err and err.count("\n") == 1, err)

    bad = test.write("b/sensitivity.json", "{}")
    code, _, err = test.run("report", test.path("b"), "--quick", "--out", test.path("x.html"))
    test.check(code == 1 and f"{bad}: is not what" in err and err.count("\n") == 1, err)
    os.remove(bad)

    # Without its dataset the page is made all the same.
    os.rename(test.path("set"), test.path("gone"))
    test.succeed("report", test.path("a"), "--out", test.path("alone.html"))
    test.succeed("report", test.path("a"), "--quick", "--out", test.path("quick.html"))
    with open(test.path("alone.html")) as f:
        alone = f.read()
    test.check("No confusion of classes: " in alone and "conv1" in alone, "without the dataset")
    for words, part in (([test.path("none"), "--out", out], "none/metrics.jsonl: No such file"),
                        ([test.path("a"), "--quick", "--out", test.path("no", "x.html")], "No such file")):
        code, _, err = test.run("report", *words)
        test.check(code == 1 and part in err and err.count("\n") == 1, f"{words}: {err}")
    test.check(not leftovers(test.folder), f"left {leftovers(test.folder)}")

    if not BROWSER:
        test.skip("no Chromium: the page was not looked at")
        return test.end()
    for options in (["--window-size=1280,1000"],
                    ["--window-size=390,1000", "--blink-settings=preferredColorScheme=0"]):
        dom, said = in_browser(test, out, *options)
        test.check(not said, f"{options}: the console says {said}")
        test.check(dom.count("<canvas") == len(told["curves"]) and 'style="background' in dom,
                   f"{options}: {dom.count('<canvas')} curves are drawn")
    return test.end()


main(run)
