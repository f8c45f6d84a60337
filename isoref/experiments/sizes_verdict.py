"""What the accuracies of smaller and smaller networks say, and their figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoref.experiments import figures
from isoref.experiments.experiment import (
    Finding,
    Results,
    Table,
    Verdict,
)
from isoref.experiments.rates import edges
from isoref.experiments.statistics import mean, together

WAYS = {
    "pruned": "pruned",
    "pruned, then trained": "pruned, then trained on",
    "from the start": "trained at this width",
    "elementwise": "elementwise, neurons removed",
    "elementwise, then trained": "elementwise, then trained on",
}


def verdict(results: Results) -> Verdict:
    """Say what is lossless, and what pruning costs beside training anew."""
    rows = [
        (name, int(results.values("lossless", name, "parameters").mean()),
         mean(results.values("lossless", name, "accuracy")))
        for name in results.names("lossless")
    ]  # fmt: skip
    widths = results.names("ways", "pruned")
    paths = [
        (
            width,
            *(f"{results.values('ways', 'pruned', width, n).mean():.0f}"
              for n in ("parameters", "sparse")),
            *(mean(results.values("ways", way, width, "accuracy")) for way in WAYS),
        )
        for width in widths
    ]  # fmt: skip
    return Verdict(
        [
            _lossless(results),
            _against(
                results,
                "pruned",
                "elementwise",
                "Isotropic networks are the more accurate when both kinds lose neurons.",
            ),
            _against(
                results,
                "pruned, then trained",
                "elementwise, then trained",
                "They are still ahead when both are trained on.",
            ),
            _against(
                results,
                "pruned, then trained",
                "from the start",
                "A pruned network that is trained on is better than one trained at its width.",
            ),
        ],
        [
            Table("Without loss", ("network", "parameters", "accuracy (%)"), rows),
            Table(
                "Held-out accuracy in per cent, by the width of both hidden spaces",
                ("width", "parameters", "sparse", *WAYS.values()),
                paths,
            ),
        ],
        [
            "All get the same epochs, except that pruned networks without training on get fewer. "
            "Constants are means over training samples, for both kinds. Elementwise networks "
            "lose the neurons of least weight in and out; other saliencies could do better. The "
            "rates were chosen on other seeds, for both kinds and for each width from the start, "
            "with the same number of tries; training on has the rate of the first training.",
            *edges(results.settings),
        ],
    )


def _lossless(results: Results) -> Finding:
    names = results.names("lossless")
    before = results.values("lossless", "trained", "parameters")
    told, moved = [], 0
    for name in names[1:]:
        saved = 100 * (1 - results.values("lossless", name, "parameters") / before)
        told.append(f"{name} {mean(saved)} %")
        moved += int((results.values("lossless", name, "accuracy")
                      != results.values("lossless", "trained", "accuracy")).sum())  # fmt: skip
    return Finding(
        "Compression and sparsification save parameters and leave the held-out accuracy as it is.",
        "supported" if moved == 0 else "partly supported",
        f"Saved: {'; '.join(told)}. The held-out accuracy differs in {moved} of "
        f"{results.n * (len(names) - 1)} cases.",
    )


def _against(results: Results, first: str, second: str, statement: str) -> Finding:
    pairs = {
        width: tuple(results.values("ways", way, width, "accuracy") for way in (first, second))
        for width in results.names("ways", first)
    }
    found = together({width: (a, b) for width, (a, b) in pairs.items()})
    better = [width for width, pair in found.items() if pair.clear and pair.difference > 0]
    worse = [width for width, pair in found.items() if pair.clear and pair.difference < 0]
    told = "; ".join(f"{width}: {pair}" for width, pair in found.items())
    if not better and not worse:
        outcome = "no clear difference"
    elif not worse:
        outcome = "supported" if len(better) > len(found) / 2 else "partly supported"
    else:
        outcome = "partly supported" if better else "not supported"
    return Finding(
        statement,
        outcome,
        f"Differences in points, by width: {told}. Clearly better at "
        f"{', '.join(better) or 'none'}, clearly worse at {', '.join(worse) or 'none'}.",
    )


def draw(results: Results) -> Any:
    """Draw accuracy over parameters, for every way, and the networks without loss."""
    figure, ((left, right),) = figures.canvas(1, 2, width=7.4, height=3.6, sharey=True)
    panels = (
        ("pruned", "elementwise"),
        tuple(n for n in WAYS if n not in ("pruned", "elementwise")),
    )
    for panel, names in zip((left, right), panels, strict=True):
        for name in names:
            widths = results.names("ways", name)
            count = [results.values("ways", name, w, "parameters").mean() for w in widths]
            held = np.array([results.values("ways", name, w, "accuracy") for w in widths]).T
            figures.line(panel, list(WAYS).index(name), count, held, WAYS[name])
        figures.counted(panel)
        panel.set_xlabel("parameters")
        panel.grid(axis="y", color="0.9", lw=0.6)
    for k, name in enumerate(results.names("lossless")):
        left.plot(results.values("lossless", name, "parameters").mean(),
                  results.values("lossless", name, "accuracy").mean(),
                  marker=("*", "<", ">", "d")[k], mfc=("0", "white")[k % 2], color="0",
                  linestyle="none", markersize=7, label=name)  # fmt: skip
    left.set_ylabel("held-out accuracy (%)")
    handles = [axes.get_legend_handles_labels() for axes in (left, right)]
    figure.legend(handles[0][0] + handles[1][0], handles[0][1] + handles[1][1],
                  loc="outside lower center", ncols=3)  # fmt: skip
    left.set_title("as they are")
    right.set_title("with training on, or from the start")
    return figure
