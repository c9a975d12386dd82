"""Queries over HTTP: a table of query strings and the resources they find, on both stores."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.http.conftest import MINIMAL, error_of

PARTY = {"href": "x", "@referredType": "Individual"}

# The letters of the description name the resources in the table below, oldest first.
RESOURCES: list[dict[str, Any]] = [
    {
        "description": "a",
        "status": "opened",
        "reason": "Broadband fault",
        "direction": "inbound",
        "interactionDate": {"startDateTime": "2026-01-10T10:00:00Z"},
        "relatedParty": [
            {"id": "7", "role": "customer", "name": "Ana", **PARTY},
            {"id": "8", "role": "agent", **PARTY},
        ],
        "channel": [{"id": "web", "name": "Web"}],
        "x": {"n": 5, "flag": True, "v": "10"},
    },
    {
        "description": "b",
        "status": "inProgress",
        "reason": "Broadband order",
        "direction": "outbound",
        "interactionDate": {"startDateTime": "2026-01-10T12:00:00+02:00"},
        "relatedParty": [
            {"id": "7", "role": "agent", **PARTY},
            {"id": "8", "role": "customer", **PARTY},
        ],
        "channel": [{"id": "shop"}, {"id": "web"}],
        "x": {"n": 7.5, "flag": False, "v": "9"},
    },
    {
        "description": "c",
        "status": "completed",
        "reason": "Bill, late",
        "direction": "inbound",
        "interactionDate": {"startDateTime": "2026-01-11T00:00:00Z"},
        "note": [{"author": "Zoë", "text": "a+b=c; d"}, {"author": "Ana", "text": "ok"}],
        "channel": [{"id": "hotline"}],
        "x": {"n": -3, "v": None},
    },
    {
        "description": "d",
        "status": "opened",
        "reason": 'say "hi"',
        "direction": "inbound",
        "interactionDate": {
            "startDateTime": "2026-01-12T08:30:00.250Z",
            "endDateTime": "2026-01-12T09:00:00Z",
        },
        "interactionItem": [
            {"note": [{"author": "p", "text": "q"}, {"author": "r", "text": "s"}]},
            {"note": [{"author": "p", "text": "s"}], "item": {"id": "t1", "role": "ticket"}},
        ],
        "channel": [{"id": "hotline"}],
        "x": {"n": 5.0, "tags": ["red", "blue", 3], "gt": 1},
        "@type": "Call",
    },
    {
        "description": "e",
        "status": "true",
        "reason": "2026-01-10",
        "direction": "inbound",
        "interactionDate": {},
        "channel": [{"id": "5"}, {"id": "null"}],
        "x": [{"n": 1, "k": "u"}, {"n": 9, "k": "w"}],
        "数": "値",
    },
]  # fmt: skip

NOTATIONS = {
    "eq": ("{0}={1}", "{0}=={1}", "{0}.eq={1}", "{0}%3D%3D{1}"),
    "ne": ("{0}!={1}", "{0}.ne={1}", "{0}%21%3D{1}"),
    "gt": ("{0}>{1}", "{0}.gt={1}", "{0}%3E{1}"),
    "gte": ("{0}>={1}", "{0}.gte={1}", "{0}%3E%3D{1}", "{0}%3E={1}"),
    "lt": ("{0}<{1}", "{0}.lt={1}", "{0}%3C{1}"),
    "lte": ("{0}<={1}", "{0}.lte={1}", "{0}%3C%3D{1}", "{0}%3C={1}"),
    "regex": ("{0}*={1}", "{0}=~{1}", "{0}.regex={1}", "{0}%2A%3D{1}", "{0}%3D~{1}"),
}

START = "interactionDate.startDateTime"

OPERATIONS: list[tuple[str, str, str, str]] = [
    ("status", "eq", "opened", "ad"),
    ("status", "eq", "OPENED", ""),
    ("status", "eq", "true", "e"),
    ("status", "ne", "opened", "bce"),
    ("status", "gt", "inProgress", "ade"),
    ("status", "lte", "inProgress", "bc"),
    ("relatedParty.id", "eq", "7", "ab"),
    ("relatedParty.id", "ne", "7", "cde"),
    ("relatedParty.name", "eq", "Ana", "a"),
    ("channel.id", "eq", "web", "ab"),
    ("channel.id", "eq", "5", "e"),
    ("channel.id", "gte", "shop", "ab"),
    ("x.n", "eq", "5", "ad"),
    ("x.n", "eq", "5.0", "ad"),
    ("x.n", "eq", "9", "e"),
    ("x.n", "gt", "5", "be"),
    ("x.n", "gte", "5", "abde"),
    ("x.n", "lt", "5", "ce"),
    ("x.n", "lte", "-3", "c"),
    ("x.n", "ne", "5", "bce"),
    ("x.flag", "eq", "true", "a"),
    ("x.flag", "eq", "false", "b"),
    ("x.flag", "ne", "true", "bcde"),
    ("x.v", "eq", "10", "a"),
    ("x.tags", "eq", "red", "d"),
    ("x.tags", "eq", "3", "d"),
    ("x.tags", "ne", "red", "abce"),
    (START, "eq", "2026-01-10T10:00:00Z", "ab"),
    (START, "eq", "2026-01-10T11:00:00%2B01:00", "ab"),
    (START, "eq", "2026-01-10T11:00:00+01:00", "ab"),
    (START, "eq", "2026-01-10", "ab"),
    (START, "gt", "2026-01-10T10:00:00Z", "cd"),
    (START, "gte", "2026-01-10T10:00:00Z", "abcd"),
    (START, "lt", "2026-01-11T00:00:00Z", "ab"),
    (START, "lte", "2026-01-11T01:00:00%2B01:00", "abc"),
    (START, "gt", "2026-01-10", "cd"),
    (START, "gte", "2026-01-11", "cd"),
    (START, "lt", "2026-01-11", "ab"),
    (START, "lte", "2026-01-11", "abc"),
    ("reason", "regex", "^Broad", "ab"),
    ("reason", "regex", "fault$", "a"),
    ("reason", "regex", "(?i)BROADBAND%20o", "b"),
    ("channel.name", "regex", ".", "a"),
    ("relatedParty.role", "regex", "^cust", "ab"),
    ("interactionItem.note.author", "eq", "r", "d"),
    ("@type", "eq", "Call", "d"),
    ("%40type", "eq", "Call", "d"),
    ("nope.nope", "eq", "x", ""),
    ("nope", "ne", "x", "abcde"),
]

STRINGS: list[tuple[str, str]] = [
    ("", "abcde"),
    ("status=opened,completed", "acd"),
    ("status=opened&status=completed", "acd"),
    ("status=opened;status=completed", "acd"),
    ("status=opened;completed", "acd"),
    ("status.eq=opened,completed", "acd"),
    ("status!=opened,completed", "be"),
    ("status!=opened&status!=completed", "be"),
    ("status=opened&direction=inbound", "ad"),
    ("status=opened&direction=outbound", ""),
    ("status=completed;channel.id=web", "abc"),
    ("x.n<0;x.n>8", "ce"),
    ("status=opened;status=completed&direction=inbound", "acd"),
    ("relatedParty.id=7&relatedParty.role=customer", "a"),
    ("relatedParty.role=agent&relatedParty.id=7", "b"),
    ("relatedParty.id=8&relatedParty.role=customer", "b"),
    ("relatedParty.id=7,8&relatedParty.role=customer", "ab"),
    ("relatedParty.id=7&relatedParty.role!=customer", "b"),
    ("relatedParty.id=7&relatedParty.name.regex=^A", "a"),
    ("interactionItem.note.author=p&interactionItem.note.text=s", "d"),
    ("interactionItem.note.author=r&interactionItem.note.text=q", ""),
    ("interactionItem.note.author=r&interactionItem.item.id=t1", ""),
    ("interactionItem.note.text=s&interactionItem.item.role=ticket", "d"),
    (f"{START}>=2026-01-10T10:00:00Z&{START}<2026-01-11T00:00:00Z", "ab"),
    (f"{START}.gt=2026-01-11T00:00:00Z&interactionDate.endDateTime.lt=2026-01-13", "d"),
    ("x.n>1&x.k=u", ""),
    ("x.n>8&x.k=w", "e"),
    ("reason=Bill, late".replace(" ", "%20"), "c"),
    ("reason=Bill%2C+late", "c"),
    ('reason="Bill,%20late"', "c"),
    ("reason=Bill%5C,%20late", "c"),
    ("reason=%22Bill,%20late%22,nope", "c"),
    ("reason=Bill,Broadband%20fault", "a"),
    ("reason=say%20%22hi%22", "d"),
    ("reason=2026-01-10", "e"),
    ("note.text=" + quote("a+b=c; d"), "c"),
    ("note.author=Zo%C3%AB", "c"),
    ("note.author=Zoë", "c"),
    ("数=値", "e"),
    (quote("数") + "=" + quote("値"), "e"),
    ('status="opened"', "ad"),
    ("status='opened'", "ad"),
    (f"{START}='2026-01-10T10:00:00Z'", "ab"),
    (f"{START}.gt='2026-01-10T10:00:00Z'", "cd"),
    ("status='", ""),
    ('x.n="5"', ""),
    ('x.flag="true"', ""),
    ('channel.id="null"', "e"),
    ("channel.id=null", "e"),
    ("relatedParty=null", "cde"),
    ("x.v=null", "cde"),
    ("x.v!=null", "ab"),
    ("interactionDate.endDateTime=null", "abce"),
    ("x.gt=1", ""),
    ("x.gt.gt=0", "d"),
    ("status.regex=^(opened|completed)$", "acd"),
    ("status=~^o;status=~^c", "acd"),
    ("status=opened&", "ad"),
    ("&&status=opened", "ad"),
    ("status=", ""),
    ("fields=none&status=opened", "ad"),
    ("limit=1000&status=opened&offset=0", "ad"),
    ("_id=1", ""),
    ("$where=1", ""),
    ("%24where=sleep(1)", ""),
    ("status%00=x", ""),
    ("status[$ne]=x", ""),
    ("x.n=1e400", ""),
    ("x.n>=2026-01-01", ""),
    ("x.tags>=3", "d"),
    ("x.v<9", ""),
    ("x.flag>=0", ""),
    ("reason>=0", "abcde"),
    ("depth=2&expand=relatedParty&status=opened", "ad"),
    ("_=1764151200000&status=opened", "ad"),
    ("status[]=opened&status[]=inProgress", "abd"),
    ("status%5B%5D=opened", "ad"),
    (f'{START}>="2026-01-11"', "cd"),
    (f"{START}.gte='2026-01-11T00:00:00Z'", "cd"),
    ("id=" + ",".join(["0190a000-0000-7000-8000-000000000000"] * 100) + "&status=opened", ""),
    ("reason=" + ",".join(["x" * 900] * 20), ""),
    ("x.n=99999999999999999999999", ""),
    ("id=nope", ""),
    ("href=nope", ""),
    ("x.tags.0=red", ""),
    (".".join("abcdefghi") + ".j=1&" + ".".join("abcdefghi") + ".k=2", ""),
    ("reason*=\\s$", ""),
]

FILTERS: list[tuple[str, str]] = [
    ("$[?(@.status=='opened')]", "ad"),
    ("[?(@.status=='opened')]", "ad"),
    ("@.status=='opened'", "ad"),
    ("'opened'==@.status", "ad"),
    ('$[?@.status=="opened"]', "ad"),
    ("$[?(@.status!='opened')]", "bce"),
    ("$[?(@.status=='opened' && @.direction=='inbound')]", "ad"),
    ("$[?(@.status=='completed' || @.x.flag==true)]", "ac"),
    ("$[?(!(@.status=='opened'))]", "bce"),
    ("$[?(!@.relatedParty)]", "cde"),
    ("$[?(@.relatedParty)]", "ab"),
    ("$[?(@.relatedParty.name)]", "a"),
    ("$[?(@.relatedParty.id=='7' && @.relatedParty.role=='customer')]", "ab"),
    ("$[?(@.relatedParty[?(@.id=='7' && @.role=='customer')])]", "a"),
    ("$[?(@.relatedParty[?(@.id=='7' && @.role!='customer')])]", "b"),
    ("$[?(!@.relatedParty[?(@.id=='7' && @.role=='customer')])]", "bcde"),
    ("$[?(@.status=='opened' && @.relatedParty[?(@.role=='customer')])]", "a"),
    ("$.relatedParty[?(@.id=='7' && @.role=='agent')]", "b"),
    ("relatedParty[?(@.id=='7')]", "ab"),
    ("$.relatedParty[*]", "ab"),
    ("$.interactionItem[?(@.note[?(@.author=='p' && @.text=='s')])]", "d"),
    ("$.interactionItem[?(@.note[?(@.author=='r' && @.text=='q')])]", ""),
    ("$.interactionItem[?(@.item.role=='ticket')].note[?(@.author=='p')]", "d"),
    ("$.interactionItem[*].note[?(@.author=='r')]", "d"),
    ("$[?(@.x.n==5)]", "ad"),
    ("$[?(@.x.n>=5)]", "abde"),
    ("$[?(@.x.n<0)]", "c"),
    ("$[?(5<@.x.n)]", "be"),
    ("$[?(@.x.n=='5')]", ""),
    ("$[?(@.x.flag==true)]", "a"),
    ("$[?(@.x.flag!=true)]", "bcde"),
    ("$[?(@.x.v==null)]", "cde"),
    ("$[?(@.x.tags=='red')]", "d"),
    ("$[?(@.interactionDate.startDateTime>='2026-01-11T00:00:00Z')]", "cd"),
    ("$[?(@.interactionDate.startDateTime=='2026-01-10T12:00:00+02:00')]", "ab"),
    ("$[?(search(@.reason,'^Broad'))]", "ab"),
    ("$[?(@.reason =~ '^Broad')]", "ab"),
    ("$[?(@.reason =~ /^Broad.*t$/)]", "a"),
    ("$[?(@.reason=~/(?i)bill/ && @.x.n<0)]", "c"),
    ("$[?(@['@type']=='Call')]", "d"),
    ("$[?(@.@type=='Call')]", "d"),
    ("relatedParty[?(@role=='customer' && @id=='7')]", "a"),
    ("[?(@status=='opened')]", "ad"),
    ("$[?(@['数']=='値')]", "e"),
    ("$[?(@.note[?(@.author=='Zoë')])]", "c"),
    ("$[?(@.reason=='say \"hi\"')]", "d"),
    ("$[?(@.status=='x&y=z;w')]", ""),
    ("?(@.status=='opened')", "ad"),
    ("$.relatedParty.[?(@.role=='agent')]", "ab"),
    ("$[?(@.relatedParty[*].role=='customer')]", "ab"),
    ("$[?(@.interactionItem[*].note[*].author=='r')]", "d"),
    ("$[?(@.status in ['completed','inProgress'])]", "bc"),
    ('$[?(@.status nin ["completed","inProgress"] && @.x.flag==true)]', "a"),
    ("$[?(@.x.n in [9, -3])]", "ce"),
    ("$[?(@.reason in ['Bill, late','x'])]", "c"),
    ("$.x.tags[?(@=='red')]", "d"),
    ("$[?(@.x.tags[?(@=='red' || @==4)])]", "d"),
    ("$[?(@.reason=~/BROADBAND/i)]", "ab"),
    ("$[?(@.interactionDate.startDateTime=='2026-01-10')]", "ab"),
    ("$[?(@.interactionDate.startDateTime!='2026-01-10')]", "cde"),
    ("$[?(@.interactionDate.startDateTime>'2026-01-11')]", "d"),
    ("$[?(@.href)]", "abcde"),
    ("$[?(@.href==null)]", ""),
    ("$[?(@.href=='http://h/other/1')]", ""),
    (" && ".join(["@.x.n==5"] * 49), "ad"),
    ("!" * 60 + "@.relatedParty", "ab"),
    ("(" * 40 + "@.status=='opened'" + ")" * 40, "ad"),
    ("@.a.b.c.d[?(@.e.f.g[?(@.h==1 && @.i==2)])]", ""),
]

REFUSED_FILTERS = [
    ("$[0]", "indexes"),
    ("$.note[0]", "indexes"),
    ("$.note[-1:]", "slices"),
    ("$..author", "descendants"),
    ("$[?(@.a==@.b)]", "two paths"),
    ("$[?(@.note[0]=='x')]", ""),
    ("$[?(length(@.note)>1)]", ""),
    ("$[?(count(@.note[*])>1)]", ""),
    ("$[?($.a=='x')]", ""),
    ("$[?(@.a>true)]", ""),
    ("$[?(match(@.a,'x'))]", "match"),
    ("$[?(search(@.a,@.b))]", ""),
    ("$['a','b']", "several selectors"),
    ("$", "no attribute"),
    ("$[?(", "JSONPath"),
    ("((((", "JSONPath"),
    ("$[?(@.a =~ '(')]", "RE2"),
    ("$[?(@.a=='x' and @.b=='y')]", "at \"and @.b=='y')]\""),
    ("$[?(length(@.a)>1)]", "length()"),
    ("$[?(@.note[0].text=='x')]", "[0] in a compared path"),
    ("$.*", "any attribute"),
    ("$[?(@.a[?(@=='x' && @!='y')])]", "comparing @ itself"),
    ("$[?(@==1)]", "comparing @ itself"),
    ("$[?(@.a==1e400)]", "beyond all bounds"),
    ("$[?(@.a==-1e400)]", "beyond all bounds"),
    ("$[?(@.href>'x')]", "href"),
    (f"$[?(@.{START}>='01/01/2033')]", "is a date-time"),
    ("$[?(@.interactionDate[?(@.startDateTime>2000000000000)])]", "is a date-time"),
    ("$[?(@.creationDate=='01/01/2033')]", "compares creationDate, which is a date-time"),
    ("$[?(@.creationDate!=2000)]", "is a date-time"),
    ("$[?(@.note[?(@.date==true)])]", "not a boolean"),
    ("$[?(!(@.status=='x' && @.creationDate<'now'))]", "2026-01-31T09:30:00Z"),
    ("$[?(@.reason>=5)]", "is of type string"),
    ("$[?(@.interactionDate>'2026-01-01')]", "is of type object"),
    ("@." + ".".join("abcdefghijk") + "==1", "deeper than 10"),
    ("@.a[?(@.b[?(@.c.d.e.f.g.h.i.j.k.l==1)])]", "deeper than 10"),
    ("@.a in [" + ",".join(["1"] * 201) + "]", "201 conditions"),
    ("$[?(@.a =~ '(?=x)')]", "RE2"),
    ("$[?(@.a=='" + "x" * 2000 + "')]", "1000 characters"),
    ("@.a in [" + "/" * 60, "expected a text in quotes"),
    ("@.a in ['" + "/','" * 200, "expected a closing quote"),
]

REFUSED = [
    (r"a*=\C", "bytes"),
    ("href>x", "equality"),
    ("href*=partyInteraction", "equality"),
    ("a.regex=(", "RE2"),
    ("a*=(?<=x)y", "RE2"),
    (r"a.regex=(x)\1", "RE2"),
    ("a..b=1", "two dots"),
    (".a=1", "two dots"),
    (".".join("abcdefghijkl") + "=1", "10 attributes"),
    ("a=" + "x" * 1001, "1000 characters"),
    ("a=b," + "x" * 1001, "1000 characters"),
    ("&".join(f"a{number}=1" for number in range(201)), "a200 is one of more than 200"),
    ("id=" + ",".join(["x"] * 201), "parameter id is one of more than 200 conditions and values"),
    ("abc=%ff", "parameter abc is not UTF-8"),
    ("creationDate.gte=2000000000000", "creationDate is a date-time: compare it with one"),
    ("creationDate>=01/01/2033", "2026-01-31T09:30:00Z or 2026-01-31, not '01/01/2033'"),
    ("creationDate=01/01/2033", "creationDate is a date-time: compare it with one"),
    (f"{START}=2026-02-30", "not '2026-02-30'"),
    ("note.date!=soon", "note.date is a date-time"),
    ("creationDate<" + "z" * 100, "not '" + "z" * 40 + "'"),
    (f"{START}.lt=null", "is a date-time"),
    ("note.date>2026", "is a date-time"),
    ("interactionDate>2026-01-01", "is of type object"),
]

SORTS: list[tuple[str, str]] = [
    ("description", "abcde"),
    ("-description", "edcba"),
    ("+description", "abcde"),
    ("%2Bdescription", "abcde"),
    ("status", "cbade"),
    ("-status", "edabc"),
    ("status,description", "cbade"),
    ("-status,-description", "edabc"),
    ("-status,description", "eadbc"),
    (START, "abcde"),
    (f"-{START}", "dcbae"),
    (f"{START},description", "abcde"),
    (f"-{START},-description", "dcbae"),
    ("interactionDate.endDateTime,-description", "decba"),
    ("-interactionDate.endDateTime", "decba"),
    ("@type,-description", "decba"),
    ("creationDate", "abcde"),
    ("-creationDate", "edcba"),
    ("nope", "abcde"),
    ("-nope,description", "abcde"),
    ("", "edcba"),
    (",,", "edcba"),
    ("id", "abcde"),
    ("-id", "edcba"),
    ("channel.id,description", "abcde"),
    ("-relatedParty.name", "edcba"),
    ("-x.n,description", "badce"),
    ("x.n,-description", "cdabe"),
    ("interactionDate", "abcde"),
]


def _operation_cases() -> list[tuple[str, str]]:
    return [
        (notation.format(path, text), expected)
        for path, operator, text, expected in OPERATIONS
        for notation in NOTATIONS[operator]
    ]


CASES = _operation_cases() + STRINGS
NUMBER = len(CASES) + len(FILTERS) + len(REFUSED_FILTERS) + len(REFUSED) + len(SORTS)


@pytest.fixture(scope="module")
def filled(api: httpx.Client) -> Iterator[str]:
    """A mark that the resources of this table carry on the server, and only they."""
    mark = uuid.uuid4().hex
    for resource in RESOURCES:
        answer = api.post("/partyInteraction", json=MINIMAL | resource | {"mark": mark})
        assert answer.status_code == 201, answer.text
    yield mark
    for each in api.get(f"/partyInteraction?mark={mark}&fields=id").json():
        api.delete(f"/partyInteraction/{each['id']}")


def found(api: httpx.Client, mark: str, query: str) -> str:
    answer = api.get(f"/partyInteraction?mark={mark}&{query}", params=None)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-result-count"] == str(len(answer.json()))
    letters = api.get(f"/partyInteraction?mark={mark}").json()
    by_id = {each["id"]: each["description"] for each in letters}
    return "".join(by_id[each["id"]] for each in answer.json())


def test_the_table_has_at_least_three_hundred_cases() -> None:
    assert NUMBER >= 300


@pytest.mark.parametrize(("query", "expected"), CASES, ids=lambda each: str(each)[:60])
def test_a_query_finds(api: httpx.Client, filled: str, query: str, expected: str) -> None:
    assert "".join(sorted(found(api, filled, query))) == expected


@pytest.mark.parametrize(("text", "expected"), FILTERS)
def test_a_jsonpath_filter_finds(api: httpx.Client, filled: str, text: str, expected: str) -> None:
    assert "".join(sorted(found(api, filled, f"filter={quote(text)}"))) == expected


@pytest.mark.parametrize(("text", "says"), REFUSED_FILTERS, ids=lambda each: str(each)[:40])
def test_a_filter_beyond_the_subset_is_refused_by_name(
    api: httpx.Client, text: str, says: str
) -> None:
    answer = api.get(f"/partyInteraction?filter={quote(text)}")
    assert says in error_of(answer, 400)["message"]


@pytest.mark.parametrize(("query", "says"), REFUSED, ids=lambda each: str(each)[:40])
def test_a_query_beyond_the_limits_is_refused(api: httpx.Client, query: str, says: str) -> None:
    assert says in error_of(api.get(f"/partyInteraction?{query}"), 400)["message"]


@pytest.mark.parametrize(("keys", "expected"), SORTS)
def test_sort_orders(api: httpx.Client, filled: str, keys: str, expected: str) -> None:
    assert found(api, filled, f"sort={keys}") == expected
    met = ""
    url: str | None = f"/partyInteraction?mark={filled}&sort={keys}&limit=2"
    while url:
        answer = api.get(url)
        met += "".join(each["description"] for each in answer.json())
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert met == expected, "page by page"


def test_links_can_be_followed_though_the_query_was_written_raw(
    api: httpx.Client, filled: str
) -> None:
    text = f'/partyInteraction?mark={filled}&description>="a"&limit=2'
    with socket.create_connection((api.base_url.host, api.base_url.port or 80)) as connection:
        head = f"GET {api.base_url.path.rstrip('/')}{text} HTTP/1.1\r\nHost: {api.base_url.host}"
        connection.sendall(f"{head}:{api.base_url.port}\r\nConnection: close\r\n\r\n".encode())
        answer = connection.makefile("rb").read().decode()
    (link,) = (line for line in answer.splitlines() if line.lower().startswith("link:"))
    (next_,) = re.findall(r'<([^<>"\s]*)>; rel="next"', link)
    assert "%3E=" in next_
    assert [each["description"] for each in api.get(next_).json()] == ["c", "b"]


def test_href_is_matched_whatever_host_it_names(api: httpx.Client, filled: str) -> None:
    (body,) = api.get(f"/partyInteraction?mark={filled}&description=a").json()
    path = body["href"].partition("//")[2].partition("/")[2]
    for prefix in ("http://localhost:1/", "https://api.example.com/prefix/", "/"):
        assert found(api, filled, f"href={prefix}{path}") == "a"
    assert found(api, filled, f"href={body['href']}") == "a"
    assert found(api, filled, f"href!={body['href']}&sort=description") == "bcde"
    assert found(api, filled, f"href=http://h/other/{body['id']}") == ""


def test_strict_handling_makes_an_unknown_attribute_an_error(
    api: httpx.Client, filled: str
) -> None:
    headers = {"Prefer": "handling=strict"}
    for query, says in (
        ("nope=1", "parameter nope is not an attribute of this resource"),
        ("Reasn=1", "did you mean reason?"),
        ("relatedParty.nam=1", "did you mean relatedParty.name?"),
        ("sort=-creationdate", "parameter sort names creationdate, which is not an attribute"),
        ("sort=-creationdate", "did you mean creationDate?"),
        ("fields=reason,note.autor", "did you mean note.author?"),
        ("filter=$[?(@.note[?(@.autor=='x')])]", "did you mean note.author?"),
        ("filter=$[?(!@.statsu)]", "did you mean status?"),
    ):
        answer = api.get(f"/partyInteraction?{quote(query, safe='=&')}", headers=headers)
        assert says in error_of(answer, 400)["message"]
    query = "status=opened&sort=-note.author&fields=reason,id&filter=$[?(@.note)]&depth=1&_=1"
    assert api.get(f"/partyInteraction?{query}", headers=headers).status_code == 200
