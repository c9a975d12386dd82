"""Conformance: a suite of requests and assertions, run over HTTP against any server, and reported.

The engine knows no API; suites are data in `openapi/conformance/`. A contract without a suite gets
a run that is derived from it.
"""

from app.conformance.baseline import BaselineError, compare, read_baseline, write_baseline
from app.conformance.client import Transport
from app.conformance.derived import run_derived
from app.conformance.outcome import Assertion, Exchange, NotTried, Outcome
from app.conformance.report import html_report, json_report, junit_report, text_report
from app.conformance.runner import run
from app.conformance.selection import Selection
from app.conformance.session import DerivedRun
from app.conformance.suite import Suite, SuiteError, load_suite

__all__ = [
    "Assertion",
    "BaselineError",
    "DerivedRun",
    "Exchange",
    "NotTried",
    "Outcome",
    "Selection",
    "Suite",
    "SuiteError",
    "Transport",
    "compare",
    "html_report",
    "json_report",
    "junit_report",
    "load_suite",
    "read_baseline",
    "run",
    "run_derived",
    "text_report",
    "write_baseline",
]
