"""Every page of the built site, in Chromium, from disk: nothing is cut off, illegible or not set.

`site_looks.js` opens each page in a frame, 400 and 1300 wide, light and dark, and lists its flaws.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = Path(__file__).with_name("site_looks.js")
BROWSER = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--allow-file-access-from-files",
    "--window-size=1400,1000",
    "--virtual-time-budget=100000000",
    "--dump-dom",
]
REPORT = re.compile(r'<pre id="report">(.*?)</pre>', re.DOTALL)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="looking at pages needs Chromium"),
]


def flaws(folder: Path, names: list[str], profile: Path) -> list[str]:
    """Return what the script finds on the pages of a folder."""
    driver = folder / "looks.html"
    call = f"{SCRIPT.read_text(encoding='utf-8')}\nmain({json.dumps(names)});"
    driver.write_text(f'<meta charset="utf-8"><body><script>{call}</script>', encoding="utf-8")
    run = subprocess.run(
        [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", driver.as_uri()],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    report = REPORT.search(run.stdout)
    assert report, run.stderr
    seen = json.loads(unescape(report[1]))
    assert seen["pages"] == len(names)
    return [str(flaw) for flaw in seen["found"]]


def test_every_page_looks_right(tmp_path: Path) -> None:
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("building the pages needs isoref[docs]")
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        check=True,
    )
    pages = (page for page in site.rglob("*.html") if page.name != "404.html")
    names = sorted(page.relative_to(site).as_posix() for page in pages)
    assert len(names) > 100
    assert flaws(site, names, tmp_path / "profile") == []


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ('<p style="width: 1500px">wide</p>', "sideways"),
        ('<div style="overflow: hidden"><p style="width: 1500px">wide</p></div>', "cut off"),
        ('<p style="color: #999">pale</p>', "contrast 2.85"),
        ('<p><span class="katex-error" title="no such command">x</span></p>', "no such command"),
        ('<p><span class="arithmatex">\\(x\\)</span></p>', "not set"),
        ('<img src="missing.png" alt="missing">', "no image"),
        (
            '<div class="panels"><svg width="90" height="20"><text x="80" y="15">outside</text>'
            "</svg></div>",
            "leaves its figure",
        ),
    ],
)
def test_flaws_are_seen(body: str, seen: str, tmp_path: Path) -> None:
    right = "<p>A page.</p>"
    for name, inner in (("right", right), ("wrong", right + body)):
        text = f'<!doctype html><meta charset="utf-8"><body><article>{inner}</article>'
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    found = flaws(tmp_path, ["right.html", "wrong.html"], tmp_path / "profile")
    assert found
    assert all(flaw.startswith("wrong.html") for flaw in found)
    assert any(seen in flaw for flaw in found)
