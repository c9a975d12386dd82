"""`python -m tmf683`, and the command `tmf683`."""

from __future__ import annotations

import sys

from tmf683._packages import claim_packages


def main() -> None:
    """Run the command line."""
    try:
        claim_packages()
    except ImportError as error:
        sys.exit(f"tmf683: {error}")
    from app.cli import main as command_line

    command_line(prog_name="tmf683")


if __name__ == "__main__":
    main()
