"""Scores companies with model.json, in plain Python: what a score means, written a second time.

    python3 scorecard.py < companies.csv    # writes each row with its log-odds and probability

Serving is src/services/churn-scoring/scorecard.ts; a test holds the two together to 1e-9.
"""

import csv
import json
import math
import sys
from bisect import bisect_right
from pathlib import Path

MODEL_FILE = Path(__file__).with_name("model.json")


def bin_of(feature, value):
    """The index of the value's bin. A bin begins at its edge; the first and the last one are open."""
    if "edges" in feature:
        return bisect_right(feature["edges"], float(value))
    # The last bin of a category is for what training has not seen.
    values = [name.lower() for name in feature["values"]]
    name = value.strip().lower()
    return values.index(name) if name in values else len(values)


def log_odds(model, company):
    """The intercept and one weight a feature, added in the order of the list."""
    total = model["intercept"]
    for feature in model["features"]:
        total += feature["weights"][bin_of(feature, company[feature["name"]])]
    return total


def probability(odds):
    return 1 / (1 + math.exp(-odds))


def main():
    model = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    names = [feature["name"] for feature in model["features"]]
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow([*names, "logOdds", "probability"])
    for company in csv.DictReader(sys.stdin):
        odds = log_odds(model, company)
        out.writerow([*(company[name] for name in names), repr(odds), repr(probability(odds))])


if __name__ == "__main__":
    main()
