# SPDX-License-Identifier: Apache-2.0
"""One page of training runs, side by side, that needs nothing beside itself.

    detent report RUN[=LABEL]... --out FILE.html

Curves; what every layer has and costs; weights and activations over their grids; the confusion of
classes with the worst pictures; how exact the integer model is; recipes, and how to make the runs
again. Where a run's folder has sensitivity.json, made by

    detent sensitivity recipe.yaml model.init=RUN/last.h5 --budget bits=4 --json >RUN/sensitivity.json

it also has what every layer minds and the front of damage over cost. What needs
the dataset (confusion, activations, verification) is left out where it is not there, or with
--quick. The curves are drawn by Chart.js (MIT licence), which is in the page.
"""
import base64
import html
import json
import os
import string
import sys
import tempfile

import quantized
import weights
from runs import Parser, Run, detent, fail

HERE = os.path.dirname(os.path.abspath(__file__))
BINS, WORST, PICTURE_BYTES, ASKED = 64, 12, 200_000, 200


def text(value):
    return html.escape(str(value))


def file(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return f.read()


def cell(value, form="{}"):
    if value is None:
        return "<td class=n>&ndash;</td>"
    number = isinstance(value, (int, float))
    return f"<td{' class=n' if number else ''}>{text(form.format(value))}</td>"


def table(head, rows, caption="", kind=""):
    """Heads of numbers stand over them."""
    number = [any(row[i].startswith("<td class=n") for row in rows) for i in range(len(head))]
    return (f"{caption and f'<p class=caption>{text(caption)}</p>'}<div class=wide>"
            f"<table{kind and f' class={kind}'}><thead><tr>"
            + "".join(f"<th{' class=n' * n}>{text(h)}</th>" for h, n in zip(head, number)) + "</tr></thead><tbody>"
            + "".join(f"<tr>{''.join(row)}</tr>" for row in rows) + "</tbody></table></div>")


# ---- curves ----

def points(lines, x, y):
    return [[e[x], e[y]] for e in lines if e.get(y) is not None]


def curves(runs):
    """[(title, x axis, [(run's number, style, points)])]"""
    metric = runs[0].metrics()[0]
    share = lambda r, kind, key: [[r.epoch_of[e["step"]], 100 * e[key]] for e in r.of(kind, "all")
                                  if e["step"] in r.epoch_of and e.get(key) is not None]
    wanted = [
        ("Loss: batches (thin), training (dashed), test", "step",
         lambda r: [("thin", points(r.of("step"), "step", "loss")),
                    ("dashed", points(r.of("epoch"), "step", "train_loss")),
                    ("line", points(r.of("epoch"), "step", "test_loss"))]),
        (f"{metric}: training (dashed) and test, by epoch", "epoch",
         lambda r: [("dashed", points(r.of("epoch"), "epoch", f"train_{metric}")),
                    ("line", points(r.of("epoch"), "epoch", f"test_{metric}"))]),
        ("Learning rate, by step", "step", lambda r: [("line", points(r.of("step"), "step", "lr") or
                                                       points(r.of("epoch"), "step", "lr"))]),
        ("Weights that oscillate, %", "epoch",
         lambda r: [("line", share(r, "oscillation", "oscillating"))]),
        ("Frozen weights, %", "epoch", lambda r: [("line", share(r, "freezing", "frozen"))])]
    found = []
    for title, x, of in wanted:
        lines = [{"run": i, "style": style, "points": p} for i, run in enumerate(runs)
                 for style, p in of(run) if p]
        if lines:
            found.append({"title": title, "x": x, "lines": lines})
    return found


def summary(runs):
    metrics = runs[0].metrics()
    rows = []
    for i, run in enumerate(runs):
        e = run.last() or {}
        rows.append([f"<td><i class=mark data-run={i}></i>{text(run.label)}</td>",
                     cell("yes" if run.done() else "no"), cell(e.get("epoch")),
                     *[cell(e.get(f"test_{m}"), "{:.2f}") for m in metrics],
                     cell(e.get("test_loss"), "{:.4f}"), cell(e.get("train_loss"), "{:.4f}")])
    return table(["run", "done", "epochs", *metrics, "test loss", "training loss"], rows)


# ---- one run ----

def layers(info):
    rows = [[cell(l["name"]), cell(l["op"]), cell(l.get("method", "float")),
             cell(f"W{l['weight_bits']} A{l['input_bits']}"), cell(l.get("low"), "{:.4g}"),
             cell(l.get("high"), "{:.4g}"),
             cell(None if l.get("clipped") is None else 100 * l["clipped"], "{:.2f}"),
             cell(l.get("sqnr_db"), "{:.1f}"), cell(l["weights"], "{:,}"), cell(l["low_bytes"], "{:,}"),
             cell(l["macs"], "{:,}"), cell(l["bops"], "{:,}")] for l in info["layers"]]
    total = [sum(l[k] for l in info["layers"]) for k in ("weights", "low_bytes", "macs", "bops")]
    rows.append(["<td><b>all</b></td>"] + [cell("")] * 7 + [cell(t, "{:,}") for t in total])
    return table(["layer", "", "method", "bits", "least", "greatest", "clipped %", "SQNR dB", "weights",
                  "bytes", "MACs", "BOPs"], rows, "Convolutions and linear layers, and their weights")


def sites(info):
    rows = [[cell(s["name"]), cell(s["method"]), cell(s["bits"]), cell(s["range"]),
             cell(s.get("scale_low"), "{:.4g}"), cell(s.get("low"), "{:.4g}"),
             cell(s.get("high"), "{:.4g}"),
             cell(None if s.get("clipped") is None else 100 * s["clipped"], "{:.2f}"),
             cell(s.get("sqnr_db"), "{:.1f}")] for s in info["sites"] if s["side"] == "activations"]
    return table(["site", "method", "bits", "codes", "scale", "least", "greatest", "clipped %",
                  "SQNR dB"], rows, "Activations, over test pictures") if rows else ""


def bars(bins, about):
    """[SVG rectangles, words]: one bar that towers over all others, as that of zero behind a ReLU, is cut,
    and told in words."""
    count, (second, first) = sum(bins), sorted(bins)[-2:]
    cut = 0 < second < first / 3
    top = 1.25 * second if cut else first
    width, parts = 256 / len(bins), []
    for i, n in enumerate(bins):
        y = 80 - 76 * min(n, top) / top
        tall = f'<rect x="{i * width:.2f}" y="4" width="{.85 * width:.2f}" height="3"/>' if n > top else ""
        y += 6 * (n > top)  # a gap below its tip
        if n:
            parts.append(f'{tall}<rect x="{i * width:.2f}" y="{y:.1f}" width="{.85 * width:.2f}" '
                         f'height="{80 - y:.1f}"/>')
    return "".join(parts), [*about, f"{100 * first / count:.0f} % in the cut bar"] if cut else about


def figure(name, drawn, ticks, about, label):
    name = text(name).replace(".", ".<wbr>").replace("_", "_<wbr>")
    return (f'<figure><svg viewBox="0 0 256 88" role="img" aria-label="{text(label)}">{drawn}{ticks}</svg>'
            f'<figcaption><b>{name}</b><br>{text(", ".join(about))}</figcaption></figure>')


def histogram(layer, values, site):
    """An SVG picture: how many weights lie where, with the levels of the grid as ticks."""
    low, high = min(values), max(values)
    has_grid = site and site["groups"] == 1 and site.get("scale_low")
    if has_grid:
        low, high = min(low, site["low"]), max(high, site["high"])
    if not low < high:
        return ""
    bins = [0] * BINS
    for v in values:
        bins[min(BINS - 1, int((v - low) / (high - low) * BINS))] += 1
    ticks = []
    if has_grid and site["bits"] <= 5:
        steps = round((site["high"] - site["low"]) / site["scale_low"])
        ticks = [f'<path d="M{(site["low"] + k * site["scale_low"] - low) / (high - low) * 256:.1f} 80v6"/>'
                 for k in range(steps + 1)]
    about = ([f"{site['bits']} bits"] if site else []) + [f"{low:.3g} to {high:.3g}"]
    drawn, about = bars(bins, about)
    return figure(layer, drawn, "".join(ticks), about, f"weights of {layer}")


def histograms(info, values):
    by_layer = {s["name"].removesuffix(".weight_quant"): s for s in info["sites"]
                if s["side"] == "weights"}
    found = "".join(histogram(l["name"], values[l["name"] + ".weight"], by_layer.get(l["name"]))
                    for l in info["layers"] if values.get(l["name"] + ".weight"))
    return f"<h3>Weights over their grid</h3><div class=small>{found}</div>" if found else ""


def over_grid(site):
    """What `inspect` counted of an activation: the grid and an eighth of its length on both sides."""
    bins = site.get("histogram")
    if not bins or not max(bins):
        return ""
    low, high = 256 * .1, 256 * .9
    steps = round((site["high"] - site["low"]) / site["scale_low"])
    levels = range(steps + 1) if steps < 32 else (0, steps)
    ticks = "".join(f'<path d="M{low + k * (high - low) / steps:.1f} 80v6"/>' for k in levels)
    drawn, about = bars(bins, [f"{site['bits']} bits", f"{site['low']:.3g} to {site['high']:.3g}"])
    return figure(site["name"].removesuffix("_quant"), drawn, ticks, about, f"values of {site['name']}")


def activations(info):
    found = "".join(over_grid(s) for s in info["sites"] if s["side"] == "activations")
    return f"<h3>Activations over their grid</h3><div class=small>{found}</div>" if found else ""


def oscillation(run):
    """What the run's dynamics counted last, a row for each layer's weights."""
    told = {}
    for kind, keys in ("oscillation", ("flip_rate", "oscillating")), ("freezing", ("frozen",)):
        for e in run.of(kind):  # in the order of steps: the last one stays
            told.setdefault(e["layer"], {}).update({k: e[k] for k in keys if e.get(k) is not None})
    shown = [(k, head) for k, head in (("flip_rate", "codes that flip, % of a step"),
                                       ("oscillating", "oscillate, %"), ("frozen", "frozen, %"))
             if any(k in t for t in told.values())]
    if not shown:
        return ""
    total = told.pop("all", {})
    most = {k: max((t.get(k, 0) for t in told.values()), default=0) for k, _ in shown}

    def row(name, values, share):
        return [name] + [f'<td class=n style="--share:{share * values[k] / most[k] if most[k] else 0:.3f}">'
                         f'{100 * values[k]:.3g}</td>' if k in values else cell(None) for k, _ in shown]

    rows = [row(cell(layer.removesuffix(".weight")), values, 1) for layer, values in told.items()]
    rows.append(row("<td><b>all</b></td>", total, 0))
    return "<h3>Oscillation</h3>" + table(
        ["layer", *(head for _, head in shown)], rows, "Weights whose codes turn back and forth, at the last "
        "count", "heat")


def sensitivity(run, number, found):
    """A table of what every layer minds, and the front as a curve of its own place."""
    try:
        with open(run.path("sensitivity.json")) as f:
            told = json.load(f)
        widths = [f"{w} bits" for w in told["widths"]]
        most = max(d for l in told["layers"] for d in l["damage"])
        rows = [[cell(l["layer"]), cell(l["weights"], "{:,}"), cell(l["macs"], "{:,}"), cell(l["bits"]),
                 *(f'<td class=n style="--share:{max(d, 0) / most if most > 0 else 0:.3f}">{d:.3g}</td>'
                   for d in l["damage"]),
                 cell("stays" if l["fixed"] else l["chosen"])] for l in told["layers"]]
        front = [[p["cost"], p["damage"]] for p in told["front"]]
    except OSError:
        return ""
    except (ValueError, KeyError, TypeError):
        fail(f"{run.path('sensitivity.json')}: is not what 'detent sensitivity --json' prints")
    page = (f"<h3>Sensitivity ({text(told['metric'])})</h3>"
            + table(["layer", "weights", "MACs", "bits", *widths, "chosen"], rows,
                    "Damage when the weights of one layer have so many bits", "heat"))
    if len(front) < 2:
        return page
    place = f"front-{number}"
    found.append({"title": f"Damage over {told['unit']}; the choice for {told['budget']:g}", "x": told["unit"], "place": place,
                  "lines": [{"run": number, "style": "line", "points": front},
                            {"run": number, "style": "point",
                             "points": [[told["cost"], told["damage"]]]}]})
    return page + f'<div id="{place}" class="charts"></div>'


def predictions(net):
    """[(class, label, file or None)]; None: the dataset is not there, or has no labels."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "predictions")
        code, _, why = detent("eval", net, "--predictions", out, "--labels")
        if code:
            return None, why
        with open(out) as f:
            lines = [line.rstrip("\n").split("\t") for line in f]
    try:
        return [(int(l[0]), int(l[1]), l[2] if len(l) > 2 else None) for l in lines], ""
    except (ValueError, IndexError):
        return None, "the samples have no classes"


def confusion(lines, names):
    K = len(names)
    count = [[0] * K for _ in range(K)]
    for c, label, _ in lines:
        count[label][c] += 1
    rows = []
    for label, row in enumerate(count):
        n = sum(row) or 1
        rows.append([f"<th>{text(names[label])}</th>"] + [
            f'<td class=n style="--share:{v / n:.3f}">{v or ""}</td>' for v in row])
    return ("<h3>Confusion: a row for each label, a column for what the net says</h3>"
            + table(["", *names], rows, kind="confusion"))


def worst(net, lines):
    """Of files that are taken for another class those with the highest scores."""
    files = [path for c, label, path in lines if c != label and path][:ASKED]
    labels = {path: label for _, label, path in lines}
    if not files:
        return ""
    code, out, _ = detent("predict", net, *files[:60], "--json")
    if code:
        return ""
    told = sorted(json.loads(out), key=lambda t: -t["classes"][0]["score"])[:WORST]
    figures = []
    for t in told:
        with open(t["picture"], "rb") as f:
            data = f.read(PICTURE_BYTES + 1)
        if len(data) > PICTURE_BYTES:
            continue
        kind = "png" if data[:4] == b"\x89PNG" else "jpeg"
        said, label = t["classes"][0], labels[t["picture"]]
        names = {c["class"]: c["name"] for c in t["classes"]}
        figures.append(f'<figure><img alt="" src="data:image/{kind};base64,'
                       f'{base64.b64encode(data).decode()}"><figcaption>'
                       f'{text(names.get(label, f"class {label}"))}, taken for {text(said["name"])} '
                       f'({100 * said["score"]:.0f} %)</figcaption></figure>')
    return f"<h3>The worst pictures</h3><div class=pictures>{''.join(figures)}</div>"


def verification(net):
    code, out, why = detent("verify", net, "--images", "100", "--json")
    if not out.strip():
        return f"<p>Not verified: {text(why)}</p>"
    told = json.loads(out)
    rows = []
    for node in told["nodes"]:
        e, f = node.get("engine_chained", {}), node.get("float_isolated", {})
        rows.append([cell(node["name"]), cell(node["kind"]), cell(e.get("checked"), "{:,}"),
                     cell(e.get("differ"), "{:,}"), cell(f.get("differ"), "{:,}"),
                     cell(f.get("largest"))])
    return (f"<p>{told['pictures']} pictures, rounding {text(told['rounding'])}: "
            f"{told['same_class']} have the class of the float net. "
            f"{'Verified.' if told['verified'] else '<b>Not verified.</b>'}</p>"
            + table(["node", "kind", "compared", "engine differs", "float differs", "largest"], rows,
                    "The integer model against its definition, and against the float net"))


def class_names(info, lines):
    names = info.get("class.names")
    K = 1 + max(max(c, label) for c, label, _ in lines)
    return names.split("\n") if names and len(names.split("\n")) >= K else [str(i) for i in range(K)]


def detail(run, quick, number, found):
    net = run.path(run.net)
    images = [] if quick else ["--images", "200"]
    code, out, why = detent("inspect", net, "--json", *images)
    if code and images:
        code, out, why = detent("inspect", net, "--json")
    if code:
        return f"<p>{text(why)}</p>"
    info = json.loads(out)
    step = f"step {info['run.step']}, " if info.get("run.step") else ""
    parts = [f"<p>{text(os.path.basename(net))}: {step}{info['parameters']:,} parameters, "
             f"{info['bytes']:,} bytes of checkpoint, {sum(l['low_bytes'] for l in info['layers']):,} bytes of weights.</p>",
             quantized.parts(run.report, table, cell) if run.report else "",
             layers(info), sites(info), histograms(info, weights.of(net)), activations(info),
             oscillation(run), sensitivity(run, number, found)]
    if not quick:
        lines, why = predictions(net)
        if lines:
            parts += [confusion(lines, class_names(info, lines)), worst(net, lines)]
        else:
            parts.append(f"<p>No confusion of classes: {text(why)}</p>")
        if any(s for s in info["sites"]):
            parts += ["<h3>Integer model</h3>", verification(net)]
    recipe = run.text("recipe.yaml")
    parts += ["<h3>Recipe</h3><p>Again: save this as <code>recipe.yaml</code>, then<br><code>detent "
              f"{'quantize' if run.report else 'train'} recipe.yaml --out again</code></p>",
              f"<details><summary>recipe.yaml, hash {text(info.get('recipe.hash', '')[:12])}</summary>"
              f"<pre>{text(recipe)}</pre></details>"]
    return "".join(parts)


def main():
    parser = Parser("report", __doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN[=LABEL]")
    parser.add_argument("--out", required=True, metavar="FILE.html")
    parser.add_argument("--quick", action="store_true", help="without what reads the dataset")
    args = parser.parse_args()
    runs = [Run(word) for word in args.runs]
    if not any(run.last() or run.of("step") for run in runs):
        fail("the runs have told nothing yet")
    found = curves(runs)
    details = "".join(f"<section><h2><i class=mark data-run={i}></i>{text(run.label)}</h2>"
                      f"{detail(run, args.quick, i, found)}</section>" for i, run in enumerate(runs))
    data = json.dumps({"runs": [r.label for r in runs], "curves": found})
    page = string.Template(file("page.html")).substitute(
        title=text(" \u00b7 ".join(r.label for r in runs)), style=file("style.css"), summary=summary(runs),
        details=details, library=file("chart.min.js").replace("</script", "<\\/script"),
        data=data.replace("<", "\\u003c"), draw=file("draw.js"))
    try:
        with open(args.out + ".tmp", "w", encoding="utf-8") as f:
            f.write(page)
        os.replace(args.out + ".tmp", args.out)
    except OSError as e:
        fail(f"{args.out}: {e.strerror}")
    print(f"{args.out}: {len(page.encode()):,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
