"""`make reference`: write the pages of docs/reference."""

from __future__ import annotations

from tests.reference.pages import PAGES, ROOT


def main() -> None:
    folder = ROOT / "docs" / "reference"
    folder.mkdir(exist_ok=True)
    for name, made in PAGES.items():
        (folder / name).write_text(made())
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
