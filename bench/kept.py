# SPDX-License-Identifier: Apache-2.0
"""What a long measurement has found so far, in a JSON file, so that it can be made in pieces: trials of
variants, and rounds. Rounds count for one program and one machine; where `terms` are others they are
dropped, and trials with them where those that they depend on are others too."""
import json
import os
import sys
import time

AGAIN = 75  # exit code of a piece that is not the last


class Kept:
    def __init__(self, path, minutes, trial_terms, round_terms):
        """`path` None: nothing is kept, and `minutes` do not count. Terms are dictionaries."""
        self.path, self.end = path, time.monotonic() + 60 * minutes if minutes else None
        self.longest = {}
        self.data = {"trial_terms": trial_terms, "round_terms": round_terms,
                     "trials": {}, "hellos": {}, "rounds": []}
        if path and os.path.exists(path):
            with open(path) as f:
                before = json.load(f)
            if before["trial_terms"] == trial_terms:
                self.data["trials"] = before["trials"]
                if before["round_terms"] == round_terms:
                    self.data.update(rounds=before["rounds"], hellos=before["hellos"])

    def save(self):
        if not self.path:
            return
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        with open(self.path + ".new", "w") as f:
            json.dump(self.data, f, indent=1)
        os.replace(self.path + ".new", self.path)

    def piece(self, kind, what, work):
        """The result of work(), unless the time ends before another piece of its kind would; pieces take
        as long as the longest one so far."""
        start = time.monotonic()
        if self.end and start + self.longest.get(kind, 0) > self.end:
            print(f"{what} is next; run it again to go on", file=sys.stderr)
            sys.exit(AGAIN)
        result = work()
        self.longest[kind] = max(self.longest.get(kind, 0), time.monotonic() - start)
        return result

    def trial(self, case, choices, work):
        """The choice with the least work(choice), each of which is done once and kept."""
        found = self.data["trials"].setdefault(case, {})
        for choice in choices:
            if str(choice) not in found:
                what = f"trial of {case}, {choice}"
                found[str(choice)] = self.piece("trial", what, lambda c=choice: work(c))
                self.save()
        best = min(choices, key=lambda c: found[str(c)])
        return best, {c: found[str(c)] for c in choices}

    def round(self, what, work):
        self.data["rounds"].append(self.piece("round", what, work))
        self.save()
