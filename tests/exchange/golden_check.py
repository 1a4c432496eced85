# SPDX-License-Identifier: Apache-2.0
"""Runs the golden graphs of golden.c or operators.c in onnxruntime, LiteRT, qonnx and a C compiler:
every code of every case.

    golden_check.py SOURCE_ROOT FOLDER [TABLE]

TABLE gets a line "case<tab>format<tab>values compared<tab>differing" of each.

Exit status: 0 all equal, 1 something differs, 77 a package is missing."""
import collections
import contextlib
import glob
import importlib
import io
import json
import os
import sys

RUNTIMES = {"c": "verify_c", "onnx": "verify_ort", "qoperator": "verify_ort", "qonnx": "verify_qonnx",
            "tflite": "verify_litert", "tflite-ref": "verify_litert", "tflite_int4": "verify_litert"}


def main(root, folder, table=os.devnull):
    sys.path.insert(0, os.path.join(root, "cli"))
    total = {name: collections.Counter() for name in RUNTIMES}
    failed, rows = [], []
    for path in sorted(glob.glob(os.path.join(folder, "*.golden"))):
        name, form, _ = os.path.basename(path).rsplit(".", 2)
        try:
            module = importlib.import_module(RUNTIMES[form])
        except ImportError as error:
            print(f"{form}: {error}", file=sys.stderr)
            return 77
        text = io.StringIO()
        with open(path, "rb") as stream, contextlib.redirect_stdout(text):
            good = module.main(stream, True)
        result = json.loads(text.getvalue().splitlines()[-1])
        total[form].update(cases=1, checked=result["checked"], differ=result["differ"])
        rows.append(f"{name}\t{form}\t{result['checked']}\t{result['differ']}\n")
        if not good:
            floats = result.get("floats")
            failed.append(f"{name} {form}: {result['differ']} of {result['checked']} differ, first "
                          f"at {result['first']}{f', in float: {floats}' if floats else ''}")
    with open(table, "w", encoding="utf-8") as out:
        out.writelines(rows)
    for form, sums in total.items():
        if not sums["cases"]:
            continue
        print(f"{form:12} {sums['cases']:4} cases, {sums['differ']} of {sums['checked']} values differ")
    for text in failed:
        print("FAIL:", text)
    written = {name for name in RUNTIMES if glob.glob(os.path.join(folder, f"*.{name}.golden"))}
    return 1 if failed or not written or any(not total[name]["cases"] for name in written) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
