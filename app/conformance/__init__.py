"""Conformance: a suite of requests and assertions, run over HTTP against any server, and reported.

The engine knows no API; suites are data in `openapi/conformance/`. A contract without a suite gets
a run that is derived from it.
"""

from app.conformance.derived import run_derived
from app.conformance.outcome import Assertion, Exchange, Outcome
from app.conformance.report import html_report, junit_report, text_report
from app.conformance.runner import run
from app.conformance.suite import Suite, SuiteError, load_suite

__all__ = [
    "Assertion",
    "Exchange",
    "Outcome",
    "Suite",
    "SuiteError",
    "html_report",
    "junit_report",
    "load_suite",
    "run",
    "run_derived",
    "text_report",
]
