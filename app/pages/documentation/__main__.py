"""`python -m app.pages.documentation FOLDER`: write the documentation as a site of plain files.

It needs no server: the search is a script that reads an index beside it. The exit code is 1 when a
link leads nowhere or a page cannot be reached.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2

from app.pages.documentation.library import PLACE, DocumentationPage, Library, library
from app.pages.site import TEMPLATES
from app.pages.static_files import FOLDER

_ADDRESS = re.compile(rf'"{re.escape(PLACE)}([^"#]*)')


def write_site(docs: Library, folder: Path) -> int:
    """Write every page below a folder, and return how many there are."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.get_template("docs/file.html.jinja")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("pages.css", "docs.css", "docs-search.js", "icon.svg"):
        (folder / name).write_bytes((FOLDER / name).read_bytes())
    index = json.dumps([*_index(docs)], ensure_ascii=False, separators=(",", ":"))
    (folder / "docs-index.js").write_text(f"const docsIndex = {index};\n", encoding="utf-8")
    for page in docs.pages.values():
        file = folder / file_of(page.key)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_html(template, docs, page), encoding="utf-8")
    for name, image in docs.images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(image.read_bytes())
    return len(docs.pages)


def _html(template: jinja2.Template, docs: Library, page: DocumentationPage) -> str:
    up = "../" * page.key.count("/")

    def address(key: str) -> str:
        return f"{up}{key if key in docs.images else file_of(key)}"

    content = _ADDRESS.sub(lambda found: f'"{address(found[1])}', page.rendered.html)
    return template.render(found=page, content=content, docs=docs, up=up, address=address)


def file_of(key: str) -> str:
    """Return the file of a page within the site."""
    return f"{key or 'index'}.html"


def _index(docs: Library) -> Iterator[tuple[str, str, str]]:
    for page in docs.pages.values():
        for section in page.rendered.sections:
            address = f"{file_of(page.key)}#{section.heading.anchor}"
            yield _title(page, section.heading.text), address, section.text


def _title(page: DocumentationPage, heading: str) -> str:
    return page.title if heading == page.title else f"{page.title} › {heading}"


def main() -> None:
    """Write the site, and say what is wrong with it."""
    docs = library()
    if docs is None or len(sys.argv) != 2:
        sys.exit(
            "usage: python -m app.pages.documentation FOLDER, with the documentation installed"
        )
    total = write_site(docs, Path(sys.argv[1]))
    problems = list(docs.problems())
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    sys.stdout.write(f"{total} pages in {sys.argv[1]}/index.html, {len(problems)} problems\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
