# SPDX-License-Identifier: Apache-2.0
"""The tiers of kernels that a test in Python runs: all that the machine has.

DETENT_TIERS, a list of names that ./check sets from the processor's flags, demands them: a tier of
the list that the program refuses is a failure, any other one is told as skipped."""
import os
import platform

TIERS = ["scalar", "avx2", "avx512"] if platform.machine() == "x86_64" else ["scalar"]
SKIP = 77


def each(run):
    """run(tier) gives the program's exit status, 77 for a tier that it has not. Yields the tiers that
    ran; raises for another status and for a tier that was demanded."""
    demanded = os.environ.get("DETENT_TIERS", "scalar").split()
    for tier in TIERS:
        status = run(tier)
        if status == SKIP and tier not in demanded:
            print(f"SKIP: this machine has no {tier}", flush=True)
        elif status != 0:
            raise SystemExit(f"{tier}: exit status {status}")
        else:
            yield tier
