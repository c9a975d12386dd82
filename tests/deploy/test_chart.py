"""The chart and the ODA component: what helm, Kubernetes and the Canvas would say of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import kubernetes_validate
import pytest
import yaml

from app.settings import Settings
from tests.deploy.tools import ROOT, rendered, tool
from tests.server import free_port, running_server

MINIMAL = ("secrets.store=store", "identity.insecure=true")
WHOLE = (
    "secrets.store=store", "secrets.more={keys}", "identity.apiKeys=true", "oda.enabled=true",
    "identity.issuer=https://i.example", "identity.audience=tmf683", "identity.partyClaim=party_id",
    "identity.jwks=https://i.example/keys", "settings.TMF_LOG_LEVEL=warning",
)  # fmt: skip
CANVAS = ("secrets.store=s", "identity.insecure=true", "oda.enabled=true")
TICKETS = {
    "name": "troubleticketcreate", "description": "Tickets become party interactions.",
    "url": "https://specs.example/tickets.json", "version": "4.0.0",
    "listener": "/tmf-api/troubleTicket/v4/listener/troubleTicketCreateEvent",
    "query": "eventType=TroubleTicketCreateEvent",
}  # fmt: skip
KUBERNETES = "1.31"
pytestmark = pytest.mark.timeout(900)  # the first use of a tool builds it
CUSTOM = {"ServiceMonitor", "Component"}
PAGES = ("path", "developerUI")


def resources(*values: str, release: str = "prod") -> list[dict[str, Any]]:
    texts = rendered(*values, release=release).values()
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def one(kind: str, *values: str, name: str = "prod-partyinteraction") -> dict[str, Any]:
    (found,) = [
        each
        for each in resources(*(values or MINIMAL))
        if each["kind"] == kind and each["metadata"]["name"] == name
    ]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("values", [MINIMAL, WHOLE], ids=["minimal", "whole"])
def test_helm_finds_nothing_wrong_with_the_chart(values: tuple[str, ...]) -> None:
    done = tool("helm-lint", "deploy/helm", *values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[ERROR]" not in done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("values", [MINIMAL, WHOLE], ids=["minimal", "whole"])
def test_every_resource_is_one_of_kubernetes(values: tuple[str, ...]) -> None:
    checked = 0
    for each in resources(*values):
        if each["kind"] not in CUSTOM:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)
            checked += 1
    assert checked >= 9


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((), "secrets.store must name"),
        (("secrets.store=s",), "identity: set issuer"),
        (("secrets.store=s", "identity.issuer=https://i.example"), "belong together"),
        ((*MINIMAL, "settings.lower=1"), "lower"),
        ((*MINIMAL, "identity.unknown=1"), "unknown"),
        ((*CANVAS, "oda.subscribedEvents[0].name=tickets"), "listener"),
    ],
)
def test_values_that_would_not_work_are_refused(values: tuple[str, ...], says: str) -> None:
    done = tool("helm-template", "prod", "deploy/helm", *values)
    assert done.returncode != 0
    assert says in done.stderr


def test_every_resource_says_which_component_it_is_of() -> None:
    found = resources(*WHOLE)
    for each in [*found, *(each["spec"]["template"] for each in found if pods(each))]:
        labels = each["metadata"]["labels"]
        assert labels["oda.tmforum.org/componentName"] == "prod-partyinteraction"


def pods(resource: dict[str, Any]) -> bool:
    return resource["kind"] == "Deployment"


def test_no_container_may_do_more_than_it_must() -> None:
    for each in filter(pods, resources(*MINIMAL)):
        spec = each["spec"]["template"]["spec"]
        assert spec["automountServiceAccountToken"] is False
        (container,) = spec["containers"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert security["runAsNonRoot"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not security["allowPrivilegeEscalation"]
        assert {each["mountPath"] for each in container["volumeMounts"]} == {"/tmp", "/data"}
        assert container["resources"]["limits"]["memory"]


def test_probes_ask_what_they_should() -> None:
    (container,) = one("Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert {each["containerPort"] for each in container["ports"]} == {8080, 9090}
    spec = one("Deployment")["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] > 30 + 5


def test_secrets_are_named_and_never_made() -> None:
    found = resources(*WHOLE)
    assert "Secret" not in {each["kind"] for each in found}
    for each in filter(pods, found):
        (container,) = each["spec"]["template"]["spec"]["containers"]
        named = [source["secretRef"]["name"] for source in container["envFrom"][1:]]
        assert named == ["store", "keys"]


@pytest.mark.parametrize("values", [MINIMAL, WHOLE])
def test_every_setting_is_one_of_the_server(values: tuple[str, ...]) -> None:
    data = one("ConfigMap", *values)["data"]
    known = {f"TMF_{name.upper()}" for name in Settings.model_fields}
    assert data.keys() <= known
    assert all(isinstance(value, str) for value in data.values())
    # The Secrets bring the rest; of the whole, only what a file must be there for is left out.
    plain = {name[4:].lower(): value for name, value in data.items() if name != "TMF_OIDC_ISSUER"}
    Settings(
        **{k: v for k, v in plain.items() if k not in ("oidc_audience", "jwks", "party_claim")}
    )


def test_the_component_is_as_the_canvas_wants_it() -> None:
    component = one("Component", *WHOLE)
    schema = yaml.safe_load((Path(__file__).parent / "component.schema.yaml").read_text())
    jsonschema.Draft202012Validator(schema).validate(component)
    spec = component["spec"]
    roles = {each["name"] for each in spec["securityFunction"]["componentRole"]}
    assert spec["securityFunction"]["canvasSystemRole"] in roles
    services = {each["metadata"]["name"] for each in resources(*WHOLE) if each["kind"] == "Service"}
    named = set(re.findall(r"'implementation': '([^']+)'", str(component)))
    assert named == services
    root = one("ConfigMap", *WHOLE)["data"]["TMF_ROOT_PATH"]
    for api in spec["coreFunction"]["exposedAPIs"]:
        assert api["path"].startswith(f"{root}/tmf-api/partyInteraction/v")


def test_the_component_that_stands_alone_is_the_chart_s() -> None:
    alone = yaml.safe_load((ROOT / "deploy/oda/component.yaml").read_text())
    (made,) = [each for each in resources(*CANVAS) if each["kind"] == "Component"]
    assert alone == made, "write it anew: make component"


def test_the_component_names_the_events_of_other_apis_too() -> None:
    stated = [f"oda.subscribedEvents[0].{name}={value}" for name, value in TICKETS.items()]
    component = one("Component", *CANVAS, *stated)
    tickets = component["spec"]["eventNotification"]["subscribedEvents"][-1]
    assert (tickets["name"], tickets["description"]) == (TICKETS["name"], TICKETS["description"])
    (told,) = tickets["specification"]
    assert (told["url"], told["version"]) == (TICKETS["url"], TICKETS["version"])
    assert told["callback"] == f"/prod-partyinteraction{TICKETS['listener']}"
    assert told["query"] == TICKETS["query"]


def test_a_server_that_runs_as_the_component_says_answers_at_every_path_of_it() -> None:
    spec, port = one("Component", *CANVAS)["spec"], free_port()
    settings = one("ConfigMap", *CANVAS)["data"] | {"TMF_MANAGEMENT_PORT": str(port)}
    events = spec["eventNotification"]
    told = [each for kind in events.values() for event in kind for each in event["specification"]]
    pages = [each[name] for each in spec["coreFunction"]["exposedAPIs"] for name in PAGES]
    pages += [each["developerUI"] for each in told if "developerUI" in each]
    hubs = [each["hub"] for each in told if "hub" in each]
    listeners = [each["callback"] for each in told if "callback" in each]
    with running_server(env=settings) as server, httpx.Client(trust_env=False) as client:
        for path in pages:
            assert client.get(f"{server.url}{path}").status_code == 200, path
        for paths, wanted in ((hubs, 400), (listeners, 201)):  # v4 has all of an event optional
            for path in paths:
                answer = client.post(f"{server.url}{path}", json={})
                assert answer.status_code == wanted, path
        (metrics,) = spec["managementFunction"]["exposedAPIs"]
        text = client.get(f"http://127.0.0.1:{port}{metrics['path']}").text
        assert "tmf_http_requests" in text
    assert (len(hubs), len(listeners)) == (1, 4)
