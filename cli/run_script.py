# SPDX-License-Identifier: Apache-2.0
"""Starts one of the scripts beside it for `detent verify --runtime`:

    run_script.py MODULE --text|--json

MODULE.main(standard input, as_json) gives True (all is equal) or False. That goes into the file
`verdict` beside the scripts, whose first line Detent reads: "good", "differs", "cannot REASON" (a
package or a compiler is missing) or "failed REASON". Whatever ends without a verdict has failed."""
import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


def judge(name, as_json):
    try:
        good = importlib.import_module(name).main(sys.stdin.buffer, as_json)
        sys.stdout.flush()
        return "good" if good else "differs"
    except ImportError as error:
        return f"cannot {error}"
    except BaseException as error:  # also SystemExit and Ctrl-C: there is one door
        kind = type(error)
        known = kind.__module__ == "comparison"
        word = "cannot" if known and kind.__name__ == "CannotRun" else "failed"
        return f"{word} {error}" if known else f"{word} {kind.__name__}: {error}"


def main(name, how):
    verdict = judge(name, how == "--json")
    with open(os.path.join(HERE, "verdict"), "w", encoding="utf-8", errors="replace") as f:
        f.write(" ".join(verdict.split()) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
