"""The documentation as a whole: its pages, their order, and search."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from app.pages.documentation.markdown import Rendered, Section, rendered

PLACE = "docs:/"
"""What stands for the place of the documentation in the addresses within rendered pages."""

INDEX = "docs/README.md"

IMAGES = "images"
"""The folder of pictures, within that of the documentation."""

_ELSEWHERE = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "deploy/README.md",
    "deploy/runbook.md",
    "openapi/README.md",
    "openapi/tmf683-v4-v5.md",
    "storage/README.md",
)
"""Pages that lie where they belong in the source code."""

_GROUP = re.compile(r"^- \*\*(?P<title>[^*]+)\*\*: (?P<rest>.*?)(?=^- \*\*|\Z)", re.M | re.S)
_LINK = re.compile(r"\[([^\[\]]++)\]\(([^()#]++)\)")
_EXCERPT = 160


@dataclass(frozen=True, slots=True)
class DocumentationPage:
    """A page: its key is its address within the documentation, empty for the first page."""

    key: str
    file: str
    title: str
    rendered: Rendered


@dataclass(frozen=True, slots=True)
class Group:
    """A part of the documentation in the navigation: titles and keys of its pages."""

    title: str
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that a search found, and an excerpt of its text."""

    page: DocumentationPage
    section: Section
    excerpt: str


class Library:
    """The documentation below a folder that has the project's files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        files = [*sorted((root / "docs").rglob("*.md")), *(root / name for name in _ELSEWHERE)]
        names = [file.relative_to(root).as_posix() for file in files if file.is_file()]
        self._keys = {name: key_of(name) for name in names}
        self.images: Mapping[str, Path] = {
            f"{IMAGES}/{file.name}": file for file in (root / "docs" / IMAGES).glob("*.webp")
        }

    @cached_property
    def pages(self) -> Mapping[str, DocumentationPage]:
        """Every page by its key."""
        return {key: self._page(name, key) for name, key in self._keys.items()}

    @cached_property
    def groups(self) -> Sequence[Group]:
        """The navigation, as the first page lists it."""
        text = (self._root / INDEX).read_text(encoding="utf-8")
        found = []
        for group in _GROUP.finditer(text):
            entries = []
            for title, target in _LINK.findall(group["rest"]):
                name = _joined("docs", target)
                if name in self._keys:
                    entries.append((" ".join(title.split()), self._keys[name]))
            found.append(Group(group["title"], tuple(entries)))
        return found

    def search(self, query: str, most: int = 20) -> list[Hit]:
        """Return the sections that contain every word of a query, the best ones first."""
        words = query.lower().split()[:10]
        if not words:
            return []
        scored: list[tuple[int, int, DocumentationPage, Section]] = []
        for page in self.pages.values():
            for section in page.rendered.sections:
                score = _score(words, page, section)
                if score:
                    scored.append((-score, len(scored), page, section))
        scored.sort()
        return [
            Hit(page, section, _excerpt(section.text, words))
            for _, _, page, section in scored[:most]
        ]

    def problems(self) -> Iterator[str]:
        """Yield the links that lead nowhere, and the pages that nothing leads to."""
        anchors = {
            page.file: {section.heading.anchor for section in page.rendered.sections}
            for page in self.pages.values()
        }
        for page in self.pages.values():
            for file, anchor in page.rendered.links:
                if not (self._root / file).exists():
                    yield f"{page.file}: there is no {file}"
                elif anchor and file in anchors and anchor not in anchors[file]:
                    yield f"{page.file}: {file} has no heading #{anchor}"
        for file, clicks in self.clicks().items():
            if clicks > 3:
                yield f"{file}: cannot be reached in three clicks from {INDEX}"

    def clicks(self) -> Mapping[str, int]:
        """Return how many clicks lead from the first page to each; 1000 for no way."""
        found = dict.fromkeys(self._keys, 1000) | {INDEX: 0}
        edge = [INDEX]
        while edge:
            file = edge.pop(0)
            for target, _ in self.pages[self._keys[file]].rendered.links:
                if target in self._keys and found[target] > found[file] + 1:
                    found[target] = found[file] + 1
                    edge.append(target)
        return found

    def _page(self, name: str, key: str) -> DocumentationPage:
        text = (self._root / name).read_text(encoding="utf-8")
        made = rendered(text, name, self._address)
        title = made.sections[0].heading.text if made.sections else key
        return DocumentationPage(key, name, title, made)

    def _address(self, file: str) -> str | None:
        if file.removeprefix("docs/") in self.images:
            return f"{PLACE}{file.removeprefix('docs/')}"
        key = self._keys.get(file)
        return None if key is None else f"{PLACE}{key}"


@cache
def library() -> Library | None:
    """Return the documentation that comes with the server; None where it was left out."""
    package = Path(__file__).resolve().parents[2]
    for root in (package / "documentation", package.parent):
        if (root / INDEX).is_file():
            return Library(root)
    return None


def key_of(file: str) -> str:
    """Return the key of the page that is made of a file."""
    name = file.removesuffix(".md").lower()
    if name == "docs/readme":
        return ""
    if name.startswith("docs/"):
        return name.removeprefix("docs/").removesuffix("/readme")
    return f"project/{name.removesuffix('/readme')}"


def _joined(folder: str, target: str) -> str:
    parts: list[str] = folder.split("/")
    for part in target.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _score(words: Sequence[str], page: DocumentationPage, section: Section) -> int:
    title, heading = page.title.lower(), section.heading.text.lower()
    text = section.text.lower()
    total = 0
    for word in words:
        found = 10 * (word in title) + 20 * (word in heading) + min(text.count(word), 5)
        if not found:
            return 0
        total += found
    return total


def _excerpt(text: str, words: Sequence[str]) -> str:
    places = [place for word in words if (place := text.lower().find(word)) >= 0]
    start = max(0, min(places, default=0) - _EXCERPT // 3)
    part = text[start : start + _EXCERPT].strip()
    return f"{'…' if start else ''}{part}{'…' if start + _EXCERPT < len(text) else ''}"
