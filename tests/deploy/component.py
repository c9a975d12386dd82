"""Writes the ODA component that stands alone, for a release named `prod`, from the chart."""

from __future__ import annotations

from tests.deploy.tools import ROOT, rendered

HEAD = "# Made from the chart by `make component`, for a release named prod.\n"
VALUES = ("secrets.store=s", "identity.insecure=true", "oda.enabled=true")

if __name__ == "__main__":
    (text,) = [text for name, text in rendered(*VALUES).items() if name.endswith("component.yaml")]
    (ROOT / "deploy" / "oda" / "component.yaml").write_text(HEAD + text.strip() + "\n")
