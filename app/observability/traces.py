"""Opens tracing when the environment configures it; imports OpenTelemetry only then."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from app.settings import SettingsError

if TYPE_CHECKING:
    from app.observability.tracing import Tracing

_EXPORTERS = ("otlp", "console")


def open_tracing() -> Tracing | None:
    """Return the tracing that the environment's `OTEL_*` variables ask for, None without any.

    Raises:
        SettingsError: they ask for what is not there.
    """
    exporter = check_tracing()
    if exporter is None:
        return None
    from app.observability.tracing import Tracing

    return Tracing(exporter)


def check_tracing() -> str | None:
    """Return the exporter that the environment asks for, None when no traces are to be kept.

    Raises:
        SettingsError: it asks for what is not there.
    """
    wanted = any(name.startswith("OTEL_") for name in os.environ)
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "otlp")
    if not wanted or exporter == "none" or _is_true(os.environ.get("OTEL_SDK_DISABLED", "")):
        return None
    if exporter not in _EXPORTERS:
        raise SettingsError(f"OTEL_TRACES_EXPORTER: {exporter} is not one of otlp, console, none")
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise SettingsError("OTEL_* is set: pip install 'tmf683[tracing]' to keep traces")
    return exporter


def _is_true(text: str) -> bool:
    return text.lower() == "true"
