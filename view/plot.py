# SPDX-License-Identifier: Apache-2.0
"""Curves of training runs, side by side, from the metrics.jsonl in their folders.

    detent plot RUN[=LABEL]... --out FILE.svg

A panel for each thing that the runs tell: loss by step; top-1 by epoch, dashed what it is before
batch-norm statistics are estimated anew; the share of weights that oscillate and that are frozen;
how far weights are from where their code changes, at the last epoch. FILE's ending names the
format: svg, png or pdf. Wants matplotlib (Debian's python3-matplotlib).
"""
import os
import sys

from runs import Parser, Run, fail


class Curves(Run):
    def share(self, kind, key):
        """[(epoch, per cent of all weights)]"""
        return [(self.epoch_of[e["step"]], 100 * e[key]) for e in self.of(kind, "all")
                if e["step"] in self.epoch_of]

    def accuracy(self, key):
        return [(e["epoch"], 100 * e[key] / e["test_count"]) for e in self.of("epoch") if key in e]

    def distances(self):
        """[(middle of a bin, per cent of the weights)], mean over layers, at the last look."""
        found = [e for e in self.of("oscillation") if e["layer"] != "all"]
        last = [e["threshold_distance"] for e in found if e["step"] == found[-1]["step"]]
        means = [100 * sum(column) / len(last) for column in zip(*last)]
        return [((i + 0.5) / (2 * len(means)), m) for i, m in enumerate(means)]


def losses(run):
    return [([(e["step"], e["train_loss"]) for e in run.of("epoch")], "-", True),
            ([(e["step"], e["loss"]) for e in run.of("step")], ":", False)]


# Title, axes, and curves of a run: (points, line style, whether it is named in the legend).
PANELS = [
    ("Training loss: means of epochs, and batches", "step", "", losses),
    ("Test top-1, %", "epoch", "", lambda r: [(r.accuracy("test_correct"), "-", True),
                                              (r.accuracy("test_correct_before"), "--", False)]),
    ("Weights that oscillate, %", "epoch", "",
     lambda r: [(r.share("oscillation", "oscillating"), "-", True)]),
    ("Frozen weights, %", "epoch", "", lambda r: [(r.share("freezing", "frozen"), "-", True)]),
    ("Weights by their distance from a threshold, %", "steps of the grid", "",
     lambda r: [(r.distances(), "-", True)]),
]


def draw(runs, out):
    try:
        import matplotlib
    except ImportError:
        fail(f"no matplotlib for {sys.executable}; Debian has it as python3-matplotlib")
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "detent", "svg.fonttype": "none", "font.size": 9,
                                "axes.grid": True, "grid.alpha": 0.3})
    from matplotlib import pyplot
    drawn = []
    for title, x, y, curves in PANELS:
        lines = [(run, *curve) for run in runs for curve in curves(run) if curve[0]]
        if lines:
            drawn.append((title, x, y, lines))
    if not drawn:
        fail("the runs have told nothing yet")
    columns = min(2, len(drawn))
    rows = -(-len(drawn) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(5 * columns, 3 * rows), squeeze=False,
                                   constrained_layout=True)
    colour = {run: f"C{i % 10}" for i, run in enumerate(runs)}
    places = axes.flatten()
    for place, (title, x, y, lines) in zip(places, drawn):
        for run, points, style, named in lines:
            place.plot(*zip(*points), style, color=colour[run], marker="" if style == ":" else ".",
                       linewidth=0.7 if style == ":" else 1.5, label=run.label if named else None)
        place.set(title=title, xlabel=x, ylabel=y)
        if x == "epoch":
            place.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    places[0].legend()
    for place in places[len(drawn):]:
        place.remove()
    kind = os.path.splitext(out)[1][1:]
    if kind not in figure.canvas.get_supported_filetypes():
        fail(f"{out}: its ending names no format that can be drawn, as .svg and .png do")
    try:
        figure.savefig(out + ".tmp", format=kind, dpi=120,
                       metadata={"Date": None} if kind == "svg" else None)
        os.replace(out + ".tmp", out)
    except OSError as e:
        fail(f"{out}: {e.strerror}")


def main():
    parser = Parser("plot", __doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN[=LABEL]")
    parser.add_argument("--out", required=True, metavar="FILE")
    args = parser.parse_args()
    runs = [Curves(word) for word in args.runs]
    for run in runs:
        if run.report:
            fail(f"{run.folder}: was quantized without training and has no curves; report and table take it")
    draw(runs, args.out)


if __name__ == "__main__":
    main()
