"""The embedded handwritten digits (see ATTRIBUTION.md for authors and licence)."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np


def load_digits() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the 1,797 images as float64 (1797, 64), values 0 to 16, and labels 0 to 9 as int64.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0.

    Examples
    --------
    >>> images, labels = load_digits()
    >>> images.shape, int(labels.max())
    ((1797, 64), 9)
    """
    with (
        files("isoref.data").joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as entries,
    ):
        images, labels = entries["images"], entries["labels"]
    return images.reshape(len(images), -1).astype(np.float64), labels.astype(np.int64)
