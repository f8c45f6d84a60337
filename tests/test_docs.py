"""The documentation is true and complete, and needs no network.

Every example of every page is executed; the clauses of the specification carry the id that they
show; every public name has its place in the interface pages; the built site loads no external file,
its headings are in order, its anchors exist and its pictures have words.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import isoref

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

FENCE = re.compile(r"^```(?:python|pycon)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CLAUSE = re.compile(r"^\[(S\d+\.\d+)\]\(#(S\d+\.\d+)\)\{ \.clause \}", re.MULTILINE)
CLAUSE_ID = re.compile(r"^\{: #(S\d+\.\d+) \}$", re.MULTILINE)
STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
CSS_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')]+)""")

NEEDED = ("mkdocs", "material", "mkdocstrings")
MISSING = [name for name in NEEDED if find_spec(name) is None]


def page_id(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_examples_give_the_output_they_show(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # an example may write files
    text = page.read_text(encoding="utf-8")
    scope: dict[str, object] = {"__name__": "__main__"}
    for block in FENCE.finditer(text):
        line = text.count("\n", 0, block.start(1))
        if ">>>" not in block[1]:
            exec(compile("\n" * line + block[1], str(page), "exec"), scope)
            continue
        test = doctest.DocTestParser().get_doctest(block[1], scope, page.name, str(page), line)
        report: list[str] = []
        failed = doctest.DocTestRunner().run(test, clear_globs=False, out=report.append).failed
        assert not failed, "".join(report)
        scope |= test.globs


def test_there_are_examples_to_run() -> None:
    examples = [block for page in PAGES for block in FENCE.findall(page.read_text("utf-8"))]
    assert len(examples) >= 8


def test_every_clause_carries_the_id_it_shows() -> None:
    text = (DOCS / "specification.md").read_text(encoding="utf-8")
    shown = [first for first, _ in CLAUSE.findall(text)]
    linked = [second for _, second in CLAUSE.findall(text)]
    assert shown == linked == CLAUSE_ID.findall(text)
    assert len(set(shown)) == len(shown) > 0
    numbers = [tuple(map(int, clause[1:].split("."))) for clause in shown]
    assert numbers == sorted(numbers)


def test_every_public_name_has_a_place_in_the_interface_pages() -> None:
    overview = (DOCS / "api" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", overview, re.MULTILINE)
    assert listed == [name for name in isoref.__all__ if not name.startswith("_")]
    pages = "".join(page.read_text("utf-8") for page in (DOCS / "api").glob("*.md"))
    documented = set(re.findall(r"^::: isoref\.(\w+)$", pages, re.MULTILINE))
    assert documented >= set(listed) - {"relu"}  # a class of its own name: isoref.profiles.Relu


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if MISSING:
        pytest.skip(f"building the pages needs {', '.join(MISSING)}: pip install 'isoref[docs]'")
    target = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    assert "WARNING" not in build.stderr, build.stderr
    return target


class Loaded(HTMLParser):
    """Collects what a browser loads by itself: links that a reader may follow are no part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.classes |= set((given.get("class") or "").split())
        self.urls += CSS_URL.findall(given.get("style") or "")
        names = {"link": ["href"], "object": ["data"], "form": ["action"], "base": ["href"]}
        for name in [*names.get(tag, []), "src", "srcset", "poster"]:
            value = given.get(name)
            if value:
                self.urls.append(value)


def loaded_by(page: Path) -> Loaded:
    text = page.read_text(encoding="utf-8")
    loaded = Loaded()
    loaded.feed(text)
    loaded.urls += [url for style in STYLE.findall(text) for url in CSS_URL.findall(style)]
    return loaded


def external(url: str) -> bool:
    parts = urlsplit(url)
    return parts.netloc != "" or parts.scheme not in ("", "data", "javascript")


def test_no_page_loads_an_external_file(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(PAGES)  # and 404.html
    for page in pages:
        loaded = loaded_by(page)
        assert loaded.urls
        assert not [url for url in loaded.urls if external(url)], page.name
        assert "mermaid" not in loaded.classes, "the theme fetches mermaid from a network"


def test_every_file_a_page_loads_is_in_the_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name == "404.html":  # its paths start at the root of a server
            continue
        for url in loaded_by(page).urls:
            path = urlsplit(url).path
            if path and not url.startswith(("data:", "javascript:")):
                assert (page.parent / path).exists(), f"{page.name} loads {url}"


class Outline(HTMLParser):
    """Collects the headings of a page, its ids, links into itself, and pictures without words."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.anchors: set[str] = set()
        self.wordless: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if "id" in given:
            self.ids.append(given["id"])
        if given.get("href", "").startswith("#"):
            self.anchors.add(given["href"][1:])
        if tag == "img" and not given.get("alt", "").strip():
            self.wordless.append(given.get("src", tag))
        if given.get("role") == "img" and not given.get("aria-label", "").strip():
            self.wordless.append(given.get("viewbox", tag))


def outline(html: str) -> Outline:
    found = Outline()
    found.feed(html)
    return found


def flaws(page: Outline) -> Iterator[str]:
    """Yield what a reader who cannot see the page, or who follows a link in it, stumbles on."""
    if page.levels[:1] != [1] or page.levels.count(1) != 1:
        yield f"the headings {page.levels} do not begin with the only one of level 1"
    for level, following in pairwise(page.levels):
        if following > level + 1:
            yield f"a heading of level {following} stands under one of level {level}"
    for name in sorted(page.anchors - set(page.ids) - {""}):
        yield f"#{name} leads nowhere"
    for name, count in Counter(page.ids).items():
        if count > 1:
            yield f"{count} elements have the id {name}"
    for name in page.wordless:
        yield f"the picture {name} has no words"


def test_pages_are_in_order_for_those_who_do_not_see_them(site: Path) -> None:
    for page in sorted(site.rglob("*.html")):
        if page.name != "404.html":
            html = page.read_text(encoding="utf-8")
            article = html[html.index("<article") : html.index("</article>")]
            whole, content = outline(html), outline(article)
            content.anchors, content.ids = whole.anchors, whole.ids
            assert not list(flaws(content)), page.relative_to(site)


@pytest.mark.parametrize(
    "html",
    [
        "<h2>a</h2>",
        "<h1>a</h1><h1>b</h1>",
        "<h1>a</h1><h3>b</h3>",
        '<h1>a</h1><a href="#b">c</a>',
        '<h1 id="a">a</h1><p id="a">b</p>',
        '<h1>a</h1><img src="b.svg">',
        '<h1>a</h1><svg role="img"></svg>',
    ],
)
def test_flaws_of_a_page_are_seen(html: str) -> None:
    assert len(list(flaws(outline(html)))) == 1


def test_no_style_sheet_loads_an_external_file(site: Path) -> None:
    sheets = sorted(site.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        urls = CSS_URL.findall(sheet.read_text(encoding="utf-8"))
        assert not [url for url in urls if external(url)], sheet.name
        files = [url for url in urls if not url.startswith(("data:", "#"))]
        assert not [url for url in files if not (sheet.parent / url).exists()], sheet.name


def test_the_search_index_can_be_read_from_disk(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert index.startswith("var __index = ")
    assert "subgradient" in index
