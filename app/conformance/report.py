"""Reports of a run: a table for terminals, an HTML page, JUnit XML for build servers, and JSON."""

from __future__ import annotations

import json
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
    """Return the run as a table, totals, the failures with their exchanges, and what is missing."""
    lines = [f"{outcome.title} at {outcome.base_url}", "", *_table(outcome), "", totals(outcome)]
    for number, exchange in enumerate(outcome.exchanges, 1):
        if exchange.failed:
            lines += ["", f"{number}. {_label(exchange)}", *_failures(exchange)]
            lines += _conversation(exchange)
    if outcome.not_tried:
        lines += ["", f"not tried ({len(outcome.not_tried)}):"]
        lines += [f"   {each.operation}: {each.reason}" for each in outcome.not_tried]
    if outcome.left:
        lines += ["", "left on the server:", *(f"   {url}" for url in outcome.left)]
    return "\n".join(lines)


def totals(outcome: Outcome) -> str:
    """Return the run in one line."""
    mean = outcome.mean_milliseconds
    skipped = f", {len(outcome.not_tried)} operations not tried" if outcome.not_tried else ""
    return (
        f"{len(outcome.exchanges)} requests, {outcome.assertions} assertions,"
        f" {outcome.failed} failed, mean response"
        f" {'none' if mean is None else f'{mean:.1f} ms'}{skipped}"
    )


def json_report(outcome: Outcome) -> str:
    """Return the run as JSON: totals, every exchange with its assertions, what was not tried."""
    return json.dumps(
        {
            "title": outcome.title,
            "url": outcome.base_url,
            "started": outcome.started.isoformat(),
            "requests": len(outcome.exchanges),
            "assertions": outcome.assertions,
            "failed": outcome.failed,
            "failures": list(outcome.failures()),
            "exchanges": [_exchange(each) for each in outcome.exchanges],
            "notTried": [
                {"operation": each.operation, "reason": each.reason} for each in outcome.not_tried
            ],
            "left": list(outcome.left),
        },
        ensure_ascii=True,  # answers may hold what UTF-8 cannot
        indent=2,
    )


def _exchange(exchange: Exchange) -> dict[str, object]:
    return {
        "operation": exchange.operation,
        "purpose": exchange.purpose,
        "request": exchange.request.label,
        "url": exchange.url,
        "status": exchange.status,
        "milliseconds": exchange.milliseconds,
        "curl": exchange.curl(),
        "response": None if exchange.received is None else exchange.received.shown_body(),
        "assertions": [
            {
                "name": each.name,
                "passed": each.passed,
                "failure": each.failure,
                "pointer": each.pointer,
            }
            for each in exchange.assertions
        ],
    }


def html_report(outcome: Outcome) -> str:
    """Return the run as one self-contained page."""
    return _PAGES.get_template("report.html.jinja").render(outcome=outcome, totals=totals(outcome))


def junit_report(outcome: Outcome) -> bytes:
    """Return the run as JUnit XML: a test suite a request, a test case an assertion."""
    root = ElementTree.Element(
        "testsuites",
        name=_xml(outcome.title),
        tests=str(outcome.assertions + len(outcome.not_tried)),
        failures=str(outcome.failed),
        errors="0",
        skipped=str(len(outcome.not_tried)),
        time=_seconds(sum(each.milliseconds or 0 for each in outcome.exchanges)),
    )
    for number, exchange in enumerate(outcome.exchanges, 1):
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_xml(f"{number:02} {_label(exchange)}"),
            tests=str(len(exchange.assertions)),
            failures=str(exchange.failed),
            errors="0",
            skipped="0",
            time=_seconds(exchange.milliseconds or 0),
            timestamp=outcome.started.isoformat(timespec="seconds").removesuffix("+00:00"),
        )
        _add_cases(suite, exchange)
    if outcome.not_tried:
        _add_not_tried(root, outcome)
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
            lines = [f"rule: {each.pointer}"] if each.pointer else []
            failure.text = _xml("\n".join([*lines, *_conversation(exchange)]))


def _add_not_tried(root: ElementTree.Element, outcome: Outcome) -> None:
    count = str(len(outcome.not_tried))
    suite = ElementTree.SubElement(
        root, "testsuite", name="not tried", tests=count, failures="0", errors="0", skipped=count
    )
    for each in outcome.not_tried:
        case = ElementTree.SubElement(
            suite, "testcase", classname="not tried", name=_xml(each.operation)
        )
        ElementTree.SubElement(case, "skipped", message=_xml(each.reason))


def _label(exchange: Exchange) -> str:
    """Return the request and what it is made for."""
    label = exchange.request.label
    return f"{label} ({exchange.purpose})" if exchange.purpose else label


def _table(outcome: Outcome) -> Iterator[str]:
    width = max(len(_label(each)) for each in outcome.exchanges)
    yield f"{'':>3}  {'request':{width}}  status  passed  failed  time ms"
    for number, each in enumerate(outcome.exchanges, 1):
        status = "-" if each.status is None else each.status
        time = "-" if each.milliseconds is None else f"{each.milliseconds:.1f}"
        yield (
            f"{number:3}  {_label(each):{width}}  {status:>6}  {each.passed:6}"
            f"  {each.failed:6}  {time:>7}"
        )


def _failures(exchange: Exchange) -> Iterator[str]:
    for each in exchange.tallies():
        if each.failed:
            times = f" ({each.failed} of {each.failed + each.passed})"
            yield f"   {each.name}{times if each.failed + each.passed > 1 else ''}: {each.failure}"
            if each.pointer:
                yield f"      rule: {each.pointer}"


def _conversation(exchange: Exchange) -> Iterator[str]:
    """Yield the request and the answer of a failure, and a command line that repeats it."""
    if exchange.sent is None:
        yield f"   {exchange.request.method} {exchange.url or '(not sent)'}"
        return
    yield f"   > {exchange.request.method} {exchange.url}"
    yield from (f"   > {name}: {value}" for name, value in exchange.sent.shown_headers())
    if exchange.sent.body:
        yield f"   > {exchange.sent.shown_body()}"
    if exchange.received is not None:
        yield f"   < {exchange.status}"
        yield from (f"   < {name}: {value}" for name, value in exchange.received.shown_headers())
        if exchange.received.body:
            yield f"   < {exchange.received.shown_body()}"
    yield f"   $ {exchange.curl()}"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.3f}"


def _xml(text: str) -> str:
    """Replace what XML 1.0 has no way to say."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
