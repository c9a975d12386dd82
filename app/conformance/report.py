"""Reports of a run: a table for terminals, a page for people, JUnit for build servers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import jinja2

from app.conformance.outcome import Exchange, Outcome

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def text_report(outcome: Outcome) -> str:
    """Return the run as a table, totals, and the failures by name."""
    lines = [f"{outcome.title} at {outcome.base_url}", "", *_table(outcome), "", totals(outcome)]
    for number, exchange in enumerate(outcome.exchanges, 1):
        if exchange.failed:
            lines += ["", f"{number}. {exchange.request.label}"]
            lines += _failures(exchange)
    return "\n".join(lines)


def totals(outcome: Outcome) -> str:
    """Return the run in one line."""
    mean = outcome.mean_milliseconds
    return (
        f"{len(outcome.exchanges)} requests, {outcome.assertions} assertions,"
        f" {outcome.failed} failed, mean response"
        f" {'none' if mean is None else f'{mean:.1f} ms'}"
    )


def html_report(outcome: Outcome) -> str:
    """Return the run as one self-contained page."""
    return _PAGES.get_template("report.html.jinja").render(outcome=outcome, totals=totals(outcome))


def junit_report(outcome: Outcome) -> bytes:
    """Return the run as JUnit XML: a test suite a request, a test case an assertion."""
    root = ElementTree.Element(
        "testsuites",
        name=_xml(outcome.title),
        tests=str(outcome.assertions),
        failures=str(outcome.failed),
        errors="0",
        time=_seconds(sum(each.milliseconds or 0 for each in outcome.exchanges)),
    )
    for number, exchange in enumerate(outcome.exchanges, 1):
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_xml(f"{number:02} {exchange.request.label}"),
            tests=str(len(exchange.assertions)),
            failures=str(exchange.failed),
            errors="0",
            skipped="0",
            time=_seconds(exchange.milliseconds or 0),
            timestamp=outcome.started.isoformat(timespec="seconds").removesuffix("+00:00"),
        )
        _add_cases(suite, exchange)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_cases(suite: ElementTree.Element, exchange: Exchange) -> None:
    """Add a case an assertion; build servers tell cases by name, so repeated ones are numbered."""
    total = Counter(each.name for each in exchange.assertions)
    seen: Counter[str] = Counter()
    for each in exchange.assertions:
        seen[each.name] += 1
        name = each.name if total[each.name] == 1 else f"{each.name} [{seen[each.name]}]"
        case = ElementTree.SubElement(
            suite, "testcase", classname=suite.get("name", ""), name=_xml(name)
        )
        if each.failure is not None:
            failure = ElementTree.SubElement(case, "failure", message=_xml(each.failure))
            failure.text = _xml(f"{exchange.request.method} {exchange.url or '(not sent)'}")


def _table(outcome: Outcome) -> Iterator[str]:
    width = max(len(each.request.label) for each in outcome.exchanges)
    yield f"{'':>3}  {'request':{width}}  status  passed  failed  time ms"
    for number, each in enumerate(outcome.exchanges, 1):
        status = "-" if each.status is None else each.status
        time = "-" if each.milliseconds is None else f"{each.milliseconds:.1f}"
        yield (
            f"{number:3}  {each.request.label:{width}}  {status:>6}  {each.passed:6}"
            f"  {each.failed:6}  {time:>7}"
        )


def _failures(exchange: Exchange) -> Iterator[str]:
    for each in exchange.tallies():
        if each.failed:
            times = f" ({each.failed} of {each.failed + each.passed})"
            yield f"   {each.name}{times if each.failed + each.passed > 1 else ''}: {each.failure}"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.3f}"


def _xml(text: str) -> str:
    """Replace what XML 1.0 has no way to say."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
