from __future__ import annotations

import pytest

from app.web.route_table import RouteTable

TABLE = RouteTable()
for method, path, operation in (
    ("GET", "/thing/{id}", "retrieve"),
    ("GET", "/thing/special", "special"),
    ("POST", "/thing", "create"),
    ("GET", "/thing/{id}/part/{partId}", "part"),
    ("DELETE", "/thing/special/{id}", "remove"),
    ("GET", "/file/{id}.json", "file"),
):
    TABLE.add(method, "/base", path, operation)


@pytest.mark.parametrize(
    ("method", "path", "operation", "arguments"),
    [
        ("GET", "/base/thing/7", "retrieve", {"id": "7"}),
        ("HEAD", "/base/thing/7", "retrieve", {"id": "7"}),
        ("GET", "/base/thing/special", "special", {}),
        ("GET", "/base/thing/special/part/1", "part", {"id": "special", "partId": "1"}),
        ("DELETE", "/base/thing/special/1", "remove", {"id": "1"}),
        ("POST", "/base/thing", "create", {}),
    ],
)
def test_an_operation_is_found(
    method: str, path: str, operation: str, arguments: dict[str, str]
) -> None:
    found = TABLE.find(method, path)
    assert found is not None
    assert (found[0].operation_id, found[1]) == (operation, arguments)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/base/thing"),
        ("GET", "/base/thing/"),
        ("GET", "/base/thing/7/"),
        ("GET", "/thing/7"),
        ("GET", "/base/file/a.json"),
        ("PUT", "/base/thing/7"),
    ],
)
def test_what_is_no_operation_is_left_to_connexion(method: str, path: str) -> None:
    assert TABLE.find(method, path) is None
