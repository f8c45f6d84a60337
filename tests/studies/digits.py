"""How typical the split of `isoref verify` is: `python -m tests.studies.digits [--splits N]`.

The training of `isoref.verification.trained` on random splits of the embedded digits.
"""

from __future__ import annotations

import argparse

import numpy as np

from isoref.verification import trained


def main() -> None:
    """Print the held-out accuracy on each split, the mean and the deviation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=24)
    splits = range(parser.parse_args().splits)
    found = [1 - trained.learn("float64", seed)[1] for seed in splits]
    for seed, accuracy in zip(splits, found, strict=True):
        print(f"split {seed:>2}: {accuracy:.4f}")
    print(f"mean {np.mean(found):.4f}, deviation {np.std(found):.4f}")


if __name__ == "__main__":
    main()
