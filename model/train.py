"""Trains the churn scorecard and writes model.json: same seed, same bytes.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python train.py [--output model.json]

A logistic regression over bins. A number enters as steps ("at least 20 jobs"), so that each weight says what crossing
an edge changes, and L1 leaves only the steps that the data asks for. What is kept is the sum of the steps for each bin:
a scorecard, and so also a linear model over one column a bin.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

SEED = 20250101
ROWS = 50_000
INDUSTRIES = ["gov", "health", "retail", "travel", "energy", "IT", "finance", "consulting", "service"]
RISKY = ["retail", "consulting", "IT"]

# Round numbers as a person would draw them, so that reasons and drift can be read. Both ends are open.
EDGES = {
    "revenu": [20_000, 40_000, 60_000, 80_000],
    "employees": [5_000, 10_000, 15_000, 20_000, 30_000, 40_000],
    "job30": [4, 5, 6, 7, 8, 9],
    "job90": [15, 20, 25, 30, 40, 50, 60, 70, 80, 90],
    "monthlyFee": [300, 500, 700, 900, 1_100],
    "totalFee": [1_000, 2_000, 3_000, 4_500, 6_500, 9_000],
}
# More of these never raises the risk.
FALLING = ["job30", "job90"]

# Weak enough for a Brier score of 0.0001 on labels without noise, strong enough that one cause alone says 99 %, and
# not 99.99 %.
INVERSE_PENALTY = 0.03

# What a leaver nobody called costs, in calls to companies that would have stayed. A calibrated score is best cut at
# 1 / (1 + ratio); at 1 that is the cut at which the linear learner of the first version labels, too.
COST_RATIO = 1.0

HELD_OUT_SHARE = 0.2


def generate(rows, seed):
    """Companies with the distributions of the first version's generator, and whether they left."""
    random = np.random.default_rng(seed)
    industry = random.integers(0, len(INDUSTRIES), rows)
    revenu = 10 * random.integers(1, 10_000, rows)
    employees = np.rint(revenu / (1 + random.integers(1, 4, rows))).astype(np.int64)
    job30 = random.integers(3, 10, rows)
    job90 = random.integers(10, 100, rows)
    monthly = random.integers(100, 1_200, rows)
    total = random.integers(monthly, 12 * monthly)
    risky = np.isin(industry, [INDUSTRIES.index(name) for name in RISKY])
    left = (risky & (revenu < 100_000)) | (job30 < 5) | (job90 < 20)
    numbers = {
        "revenu": revenu, "employees": employees, "job30": job30, "job90": job90,
        "monthlyFee": monthly, "totalFee": total,
    }  # fmt: skip
    return industry, numbers, left.astype(np.int64)


def design(industry, numbers):
    """One column an industry, then one a step of each number."""
    columns = [industry == index for index in range(len(INDUSTRIES))]
    for name, edges in EDGES.items():
        columns += [numbers[name] >= edge for edge in edges]
    return np.column_stack(columns).astype(np.float64)


def sigmoid(odds):
    return 1 / (1 + np.exp(-odds))


def fit(industry, numbers, left):
    """Weights of the bins of each feature, and the intercept."""
    # Tight enough that the rounded weights depend neither on the order of its steps nor on the processor's last digit.
    regression = LogisticRegression(
        l1_ratio=1,
        C=INVERSE_PENALTY,
        solver="liblinear",
        random_state=SEED,
        # Hardly any penalty on the intercept.
        intercept_scaling=100,
        max_iter=10_000,
        tol=1e-10,
    )
    regression.fit(design(industry, numbers), left)
    coefficients = regression.coef_[0]
    weights = {"industry": coefficients[: len(INDUSTRIES)]}
    at = len(INDUSTRIES)
    for name, edges in EDGES.items():
        steps = coefficients[at : at + len(edges)]
        at += len(edges)
        if name in FALLING:
            steps = np.minimum(steps, 0)
        weights[name] = np.concatenate([[0.0], np.cumsum(steps)])
    return {name: np.round(values, 4) for name, values in weights.items()}, round(float(regression.intercept_[0]), 4)


def bins_of(industry, numbers):
    bins = {"industry": industry}
    for name, edges in EDGES.items():
        bins[name] = np.searchsorted(edges, numbers[name], side="right")
    return bins


def score(weights, intercept, bins):
    return intercept + sum(weights[name][bins[name]] for name in weights)


def weight_of_unknown(weights, intercept, bins, left):
    """The weight at which training rows with their industry hidden are scored right on average."""
    others = score({name: weights[name] for name in EDGES}, intercept, bins)
    least, most = -50.0, 50.0
    for _ in range(100):
        middle = (least + most) / 2
        least, most = (middle, most) if sigmoid(others + middle).mean() < left.mean() else (least, middle)
    return round((least + most) / 2, 4)


def metrics(probability, left, threshold):
    return {
        "rows": len(left),
        "auc": round(float(roc_auc_score(left, probability)), 6),
        "accuracy": round(float(((probability >= threshold) == (left == 1)).mean()), 6),
        "brier": round(float(brier_score_loss(left, probability)), 6),
        "logLoss": round(float(log_loss(left, probability)), 6),
        "shareThatLeft": round(float(left.mean()), 6),
    }


def shares(bins, count):
    return [round(float(share), 6) for share in np.bincount(bins, minlength=count) / len(bins)]


def train():
    industry, numbers, left = generate(ROWS, SEED)
    kept = int(ROWS * (1 - HELD_OUT_SHARE))
    bins = bins_of(industry, numbers)
    seen = {name: values[:kept] for name, values in bins.items()}
    weights, intercept = fit(industry[:kept], {name: values[:kept] for name, values in numbers.items()}, left[:kept])
    unknown = weight_of_unknown(weights, intercept, seen, left[:kept])
    threshold = round(1 / (1 + COST_RATIO), 6)

    features = [
        {
            "name": "industry",
            "values": INDUSTRIES,
            "weights": [*weights["industry"].tolist(), unknown],
            "means": shares(seen["industry"], len(INDUSTRIES) + 1),
            # In percent, for the words of a reason.
            "typical": round(100 * float(left[:kept].mean())),
            "leftPercent": [
                round(100 * float(left[:kept][seen["industry"] == index].mean())) for index in range(len(INDUSTRIES))
            ],
        }
    ]
    for name, edges in EDGES.items():
        features.append(
            {
                "name": name,
                "edges": edges,
                "weights": weights[name].tolist(),
                "means": shares(seen[name], len(edges) + 1),
                "typical": round(float(np.median(numbers[name][:kept]))),
            }
        )
    for feature in features:
        if feature["name"] in FALLING and np.any(np.diff(feature["weights"]) > 0):
            raise SystemExit(f"{feature['name']}: expected weights that never rise, got {feature['weights']}")

    model = {"format": 1, "version": "", "intercept": intercept, "threshold": threshold, "features": features}
    model["version"] = "scorecard-" + hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()[:8]
    held_out = {name: values[kept:] for name, values in bins.items()}
    model["costRatio"] = COST_RATIO
    model["training"] = {"seed": SEED, "rows": kept}
    model["heldOut"] = metrics(sigmoid(score(weights, intercept, held_out)), left[kept:], threshold)
    return model


def stable(model):
    """JSON with a line for each entry and each list, so that a change can be read as a diff."""

    def shown(value, depth):
        pad = "  " * depth
        if isinstance(value, dict):
            inside = ",\n".join(f"{pad}  {json.dumps(key)}: {shown(item, depth + 1)}" for key, item in value.items())
            return f"{{\n{inside}\n{pad}}}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n" + ",\n".join(f"{pad}  {shown(item, depth + 1)}" for item in value) + f"\n{pad}]"
        return json.dumps(value)

    return shown(model, 0) + "\n"


def main():
    arguments = argparse.ArgumentParser(description="Trains the churn scorecard.")
    arguments.add_argument("--output", type=Path, default=Path(__file__).with_name("model.json"))
    output = arguments.parse_args().output
    model = train()
    output.write_text(stable(model), encoding="utf-8", newline="\n")
    print(f"{model['version']} {model['heldOut']}")


if __name__ == "__main__":
    main()
