"""Markdown as HTML: headings with anchors, links between pages, commands that paste without `$`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

_EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:|#|//", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its level, its text, and its anchor within the page."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and the text between it and the next as a search reads it."""

    heading: Heading
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page as HTML, its sections, and where its links lead: file and anchor."""

    html: str
    sections: tuple[Section, ...]
    links: tuple[tuple[str, str], ...]


def rendered(text: str, path: str, address: Callable[[str], str | None]) -> Rendered:
    """Return a file's Markdown as HTML.

    `path` is the file's, relative to the project. `address` returns the address of the page made of
    a file; a link to a file without a page (source code) becomes text.
    """
    from markdown_it import MarkdownIt  # 62 modules that only a reader of the documentation needs

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(_COMMENT.sub("", text))
    headings = _mark_headings(tokens)
    links: list[tuple[str, str]] = []
    for token in tokens:
        if token.children:
            _point_links(token.children, path, address, links)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    html = parser.renderer.render(tokens, parser.options, {})
    return Rendered(html, tuple(_sections(tokens, headings)), tuple(links))


def anchor_of(text: str) -> str:
    """Return the anchor that a forge gives to a heading."""
    kept = re.sub(r"[^\w\- ]", "", text.strip().lower())
    return kept.replace(" ", "-")


def _mark_headings(tokens: Sequence[Token]) -> list[Heading]:
    """Give every heading an anchor of its own, and return them in their order."""
    found: list[Heading] = []
    for position, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        text = _plain(tokens[position + 1])
        base = anchor_of(text)
        repeated = sum(each.anchor == base or each.text == text for each in found)
        anchor = f"{base}-{repeated}" if repeated else base
        token.attrSet("id", anchor)
        found.append(Heading(int(token.tag[1]), text, anchor))
    return found


def _sections(tokens: Sequence[Token], headings: Sequence[Heading]) -> list[Section]:
    texts: list[list[str]] = []
    for position, token in enumerate(tokens):
        if token.type == "heading_open":
            texts.append([])
        elif texts and (
            token.type == "fence"
            or (token.type == "inline" and tokens[position - 1].type != "heading_open")
        ):
            texts[-1].append(_plain(token))
    return [
        Section(heading, " ".join(" ".join(text).split()))
        for heading, text in zip(headings, texts, strict=True)
    ]


def _plain(token: Token) -> str:
    if not token.children:
        return token.content
    shown = ("text", "code_inline", "softbreak")
    return "".join(each.content or " " for each in token.children if each.type in shown)


def _point_links(
    tokens: list[Token],
    path: str,
    address: Callable[[str], str | None],
    links: list[tuple[str, str]],
) -> None:
    """Let links between files lead to their pages, and pictures to where they are served."""
    removed = 0
    for token in tokens:
        if token.type == "link_close" and removed:
            token.tag, removed = "span", removed - 1
        source = str(token.attrGet("src") or "")
        if token.type == "image" and not _EXTERNAL.match(source):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), source))
            links.append((target, ""))
            token.attrSet("src", address(target) or "")
            token.attrSet("loading", "lazy")
        if token.type != "link_open":
            continue
        href = str(token.attrGet("href") or "")
        if _EXTERNAL.match(href):
            if href.startswith("#"):
                links.append((path, href[1:]))
            continue
        file, _, anchor = href.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), file))
        links.append((target, anchor))
        found = address(target)
        if found is None:
            token.tag, token.attrs = "span", {"class": "source", "title": target}
            removed += 1
        else:
            token.attrSet("href", f"{found}#{anchor}" if anchor else found)


def _fence(
    renderer: object, tokens: Sequence[Token], position: int, options: object, env: object
) -> str:
    token = tokens[position]
    language = token.info.split(" ")[0]
    content = _console(token.content) if language == "console" else escape(token.content)
    name = f' class="language-{escape(language)}"' if language else ""
    return f'<pre tabindex="0"><code{name}>{content}</code></pre>\n'


def _console(text: str) -> str:
    """Mark prompts, which are not copied with the commands, and what the commands print."""
    lines = []
    command = False
    for line in text.splitlines():
        prompt = line[:2]
        command = prompt == "$ " or (command and prompt == "> ")
        if command:
            lines.append(f'<span class="prompt">{escape(prompt)}</span>{escape(line[2:])}')
        else:
            lines.append(f'<span class="printed">{escape(line)}</span>')
    return "\n".join(lines) + "\n"
