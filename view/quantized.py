# SPDX-License-Identifier: Apache-2.0
"""What `detent quantize` tells of its result, as parts of the page."""


def parts(report, table, cell):
    """HTML: how far from the float net, which widths, and the loss of every unit before and after."""
    metrics = [k for k in next(iter(report["scores"].values()), {})
               if k not in ("count", "agree", "agreement", "kl", "sqnr_db", "lost", "gained", "difference")]
    rows = [[cell(name), *(cell(score.get(m), "{:.2f}") for m in metrics),
             *(cell(None if name == "float" else score.get(k), form) for k, form in
               (("agreement", "{:.2f}"), ("kl", "{:.3g}"), ("sqnr_db", "{:.1f}"))),
             cell("{:+.2f} to {:+.2f}".format(*score["difference"]) if "difference" in score else None),
             cell(score["count"], "{:,}")]
            for name, score in report["scores"].items()]
    found = [f"<h3>Quantized ({report['method']}, {report['pictures']:,} pictures)</h3>",
             table(["net", *metrics, "agrees with float, %", "KL", "SQNR dB", "to float, 95 %",
                    "pictures"], rows,
                   f"{report['weights']:,} weights at {report['weight_bits']:.2f} bits, "
                   f"{report['weight_bytes']:,} bytes")]
    rows = [[cell(l["layer"]), f'<td class=n style="--share:{l["weight_bits"] / 8:.3f}">{l["weight_bits"]}</td>',
             cell(l["input_bits"]), cell(l["weights"], "{:,}"), cell(l["sqnr_db"], "{:.1f}")]
            for l in report["layers"]]
    found.append(table(["layer", "bits of weights", "of inputs", "weights", "SQNR dB"], rows,
                       "Widths, and how far each layer's output is from the float net's", "heat"))
    rows = [[cell(u["stage"]), cell(u["unit"]), cell(u["before"], "{:.4g}"), cell(u["after"], "{:.4g}"),
             cell(u["changed"], "{:,}"), cell(u["weights"], "{:,}")] for u in report["units"]]
    if rows:
        found.append(table(["stage", "unit", "loss before", "after", "codes changed", "of"], rows,
                           "What was reconstructed"))
    return "".join(found)
