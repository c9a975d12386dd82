"""The chart and the ODA component: what helm, Kubernetes and the Canvas would say of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import kubernetes_validate
import pytest
import yaml

from app.settings import Settings
from tests.deploy.schemas import write_schemas
from tests.deploy.tools import ROOT, rendered, resources, tool
from tests.server import free_port, running_server

MINIMAL = ("secrets.store=store", "identity.insecure=true")
CANVAS = ("secrets.store=s", "identity.insecure=true", "oda.enabled=true")
SETS = {path.stem: ("-f", str(path)) for path in (Path(__file__).parent / "values").glob("*.yaml")}
PLAIN, ISTIO, EVERYTHING = SETS["plain"], SETS["canvas"], SETS["everything"]
EVERY_SET = pytest.mark.parametrize("values", [MINIMAL, *SETS.values()], ids=["minimal", *SETS])
OPERATOR = "monitoring.coreos.com/v1"
TICKETS = {
    "name": "troubleticketcreate", "description": "Tickets become party interactions.",
    "url": "https://specs.example/tickets.json", "version": "4.0.0",
    "listener": "/tmf-api/troubleTicket/v4/listener/troubleTicketCreateEvent",
    "query": "eventType=TroubleTicketCreateEvent",
}  # fmt: skip
KUBERNETES = "1.31"
pytestmark = pytest.mark.timeout(900)  # the first use of a tool builds it
CUSTOM = {"ServiceMonitor", "PrometheusRule", "HTTPRoute", "Component"}
PAGES = ("path", "developerUI")


def one(kind: str, *values: str, name: str = "prod-partyinteraction") -> dict[str, Any]:
    (found,) = [
        each
        for each in resources(*(values or MINIMAL))
        if each["kind"] == kind and each["metadata"]["name"] == name
    ]
    return found


def kinds(*values: str) -> set[str]:
    return {each["kind"] for each in resources(*values)}


def pod(resource: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = resource["spec"]["template"]["spec"]
    return spec


def deployed(resource: dict[str, Any]) -> bool:
    return bool(resource["kind"] == "Deployment")


def container(resource: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod(resource)["containers"]
    found: dict[str, Any] = only
    return found


@EVERY_SET
def test_helm_finds_nothing_wrong_with_the_chart(values: tuple[str, ...]) -> None:
    done = tool("helm-lint", "deploy/helm", *values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[ERROR]" not in done.stdout
    assert "[WARNING]" not in done.stdout


@EVERY_SET
def test_every_resource_is_one_of_kubernetes(values: tuple[str, ...]) -> None:
    checked = 0
    for each in resources(*values):
        if each["kind"] not in CUSTOM:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)
            checked += 1
    assert checked >= 9


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the schemas of everything that the chart makes."""
    made = {(each["kind"], each["apiVersion"]) for each in resources(*EVERYTHING)}
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(folder, KUBERNETES, made)
    return folder


@EVERY_SET
def test_kubeconform_accepts_every_resource(values: tuple[str, ...], schemas: Path) -> None:
    made = resources(*values)
    done = tool("kubeconform", schemas, f"{KUBERNETES}.0", text=yaml.safe_dump_all(made))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(made)


@pytest.mark.parametrize("kind", ["Deployment", "PrometheusRule", "HTTPRoute", "NetworkPolicy"])
def test_kubeconform_refuses_what_a_schema_does_not_know(kind: str, schemas: Path) -> None:
    wrong = next(each for each in resources(*EVERYTHING) if each["kind"] == kind)
    wrong["spec"]["misspelt"] = 1
    done = tool("kubeconform", schemas, f"{KUBERNETES}.0", text=yaml.safe_dump(wrong))
    assert done.returncode != 0
    assert "misspelt" in done.stderr


def test_a_plain_cluster_is_asked_for_nothing_that_it_does_not_have() -> None:
    made = resources(*PLAIN)
    apis = {each["apiVersion"] for each in made}
    assert apis == {"v1", "apps/v1", "autoscaling/v2", "policy/v1"}
    assert not {each["kind"] for each in made} & {*CUSTOM, "NetworkPolicy", "Ingress"}


@pytest.mark.parametrize(
    ("values", "made"),
    [
        ((), set()),
        (("-a", f"{OPERATOR}/ServiceMonitor"), {"ServiceMonitor"}),
        (
            ("-a", f"{OPERATOR}/ServiceMonitor", "-a", f"{OPERATOR}/PrometheusRule"),
            {"ServiceMonitor", "PrometheusRule"},
        ),
        (("serviceMonitor.enabled=true",), {"ServiceMonitor"}),
        (("prometheusRule.enabled=true",), {"PrometheusRule"}),
        (("-a", f"{OPERATOR}/ServiceMonitor", "serviceMonitor.enabled=false"), set()),
        (("networkPolicy.enabled=true",), {"NetworkPolicy"}),
        (("ingress.enabled=true",), {"Ingress"}),
        (("httpRoute.enabled=true", "httpRoute.parentRefs[0].name=gateway"), {"HTTPRoute"}),
        (("oda.enabled=true",), {"Component"}),
    ],
)
def test_what_not_every_cluster_has_is_made_when_asked_for_or_known(
    values: tuple[str, ...], made: set[str]
) -> None:
    apis = [each for each in values if "=" not in each]
    stated = [each for each in values if "=" in each]
    assert kinds(*apis, *MINIMAL, *stated) - kinds(*MINIMAL) == made


NAMES = {
    "ConfigMap": {"prod-partyinteraction"},
    "Deployment": {"prod-partyinteraction", "prod-partyinteraction-delivery"},
    "HorizontalPodAutoscaler": {"prod-partyinteraction"},
    "PodDisruptionBudget": {"prod-partyinteraction"},
    "Service": {"prod-partyinteraction", "prod-partyinteraction-metrics"},
    "ServiceAccount": {"prod-partyinteraction"},
}
BOTH = {"app.kubernetes.io/name": "tmf683", "app.kubernetes.io/instance": "prod"}


def test_names_and_selectors_are_those_of_the_first_release() -> None:
    """A Deployment's selector cannot be changed: an upgrade with another one is refused."""
    found: dict[str, set[str]] = {}
    for each in resources(*MINIMAL):
        if "helm.sh/hook" not in each["metadata"].get("annotations", {}):
            found.setdefault(each["kind"], set()).add(each["metadata"]["name"])
    assert found == NAMES
    server, delivery = one("Deployment"), one("Deployment", name="prod-partyinteraction-delivery")
    for each, component in ((server, "server"), (delivery, "delivery")):
        wanted = BOTH | {"app.kubernetes.io/component": component}
        assert each["spec"]["selector"] == {"matchLabels": wanted}
        assert wanted.items() <= each["spec"]["template"]["metadata"]["labels"].items()
    api, metrics = one("Service"), one("Service", name="prod-partyinteraction-metrics")
    assert api["spec"]["selector"] == BOTH | {"app.kubernetes.io/component": "server"}
    assert metrics["spec"]["selector"] == BOTH
    assert api["spec"]["ports"] == [{"name": "http-api", "port": 8080, "targetPort": "api"}]
    assert metrics["spec"]["ports"] == [
        {"name": "http-metrics", "port": 9090, "targetPort": "management"}
    ]


MISSPELT = [
    "imge.tag", "image.tga", "secrets.stroe", "identity.isuer", "autoscaling.enabeld",
    "delivery.replica", "resources.limit", "resources.limits.mem", "serviceAccount.anotations",
    "networkPolicy.ingres", "networkPolicy.from[0].namespaceSelektor", "ingress.host",
    "ingress.tls[0].secret", "httpRoute.parentRef", "serviceMonitor.intervall",
    "prometheusRule.enable", "dashboard.label", "oda.component", "contracts.configmap",
    "affinity.nodeAffinty", "affinity.podAntiAffinity.requiredDuringScheduling",
    "tolerations[0].efect", "topologySpreadConstraints[0].maxSkw", "extraEnv[0].valeu",
    "extraVolumes[0].confgMap", "extraVolumeMounts[0].mountpath", "settings.TFM_WORKERS",
    "toleration",
]  # fmt: skip


@pytest.mark.parametrize("key", MISSPELT)
def test_a_misspelt_value_is_refused_by_its_name(key: str) -> None:
    done = tool("helm-template", "prod", "deploy/helm", *MINIMAL, f"{key}=x")
    assert done.returncode != 0
    last = key.rpartition("]")[2].rpartition(".")[2]
    wrong = "imge" if key.startswith("imge") else last
    assert wrong in done.stderr, done.stderr


def test_every_object_of_the_values_schema_refuses_unknown_names() -> None:
    """Save where names are the user's (settings, labels) or Kubernetes checks what is within."""
    schema = json.loads((ROOT / "deploy/helm/values.schema.json").read_text())
    free = {"global", "downwardAPI", "ephemeral", "configMap", "secret", "serviceAccountToken",
            "clusterTrustBundle"}  # fmt: skip

    def visit(node: Any, name: str) -> None:
        if isinstance(node, list):
            for each in node:
                visit(each, name)
        if not isinstance(node, dict):
            return
        if node.get("type") == "object":
            assert "additionalProperties" in node or name in free, name
        for key, value in node.items():
            if key in ("properties", "definitions"):
                for inner, each in value.items():
                    visit(each, inner)
            else:
                visit(value, name)

    visit(schema, "")


def test_every_value_that_may_be_set_has_a_default_and_is_explained() -> None:
    schema = json.loads((ROOT / "deploy/helm/values.schema.json").read_text())
    defaults = yaml.safe_load((ROOT / "deploy/helm/values.yaml").read_text())
    assert schema["properties"].keys() - {"global"} == defaults.keys()
    for name, each in schema["properties"].items():
        if "properties" in each and name != "global":
            assert each["properties"].keys() == defaults[name].keys(), name


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((), "secrets.store must name"),
        (("secrets.store=s",), "identity: set issuer"),
        (("secrets.store=s", "identity.issuer=https://i.example"), "belong together"),
        ((*MINIMAL, "settings.lower=1"), "lower"),
        ((*MINIMAL, "identity.unknown=1"), "unknown"),
        ((*CANVAS, "oda.subscribedEvents[0].name=tickets"), "listener"),
        ((*MINIMAL, "settings.TMF_CURSOR_KEY=x"), "TMF_CURSOR_KEY belongs into a Secret"),
        ((*MINIMAL, "settings.TMF_PORT=80"), "settings.TMF_PORT is fixed"),
        ((*MINIMAL, "contracts.configMap=c"), "configMap and files belong together"),
        ((*MINIMAL, "sources.files={a.yaml}"), "configMap and files belong together"),
        (
            (*MINIMAL, "contracts.configMap=c", "contracts.files={a}", "settings.TMF_SPEC=b"),
            "say the same",
        ),
        ((*MINIMAL, "httpRoute.enabled=true"), "must name the Gateway"),
        ((*MINIMAL, "image.digest=sha256:12"), "digest"),
        ((*MINIMAL, "serviceMonitor.enabled=perhaps"), "serviceMonitor"),
        ((*MINIMAL, "extraEnv[0].name=A"), "value"),
    ],
)
def test_values_that_would_not_work_are_refused(values: tuple[str, ...], says: str) -> None:
    done = tool("helm-template", "prod", "deploy/helm", *values)
    assert done.returncode != 0
    assert says in done.stderr


def test_every_resource_says_which_component_it_is_of() -> None:
    found = resources(*ISTIO)
    for each in [*found, *(each["spec"]["template"] for each in found if deployed(each))]:
        labels = each["metadata"]["labels"]
        assert labels["oda.tmforum.org/componentName"] == "prod-partyinteraction"


@EVERY_SET
def test_no_container_may_do_more_than_podsecurity_restricted_lets_it(
    values: tuple[str, ...],
) -> None:
    made = resources(*values)
    specs = [pod(each) for each in made if deployed(each)]
    specs += [each["spec"] for each in made if each["kind"] == "Pod"]
    assert len(specs) == 3
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"]
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
        (only,) = spec["containers"]
        security = only["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert security["runAsNonRoot"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert security["allowPrivilegeEscalation"] is False
        assert not any("hostPort" in port for port in only.get("ports", []))
        for volume in spec.get("volumes", []):
            assert not volume.keys() & {"hostPath", "nfs"}


def test_a_container_writes_to_two_folders_and_has_a_bound_on_its_memory() -> None:
    for each in filter(deployed, resources(*MINIMAL)):
        mounts = {mount["mountPath"] for mount in container(each)["volumeMounts"]}
        assert mounts == {"/tmp", "/data"}
        assert container(each)["resources"]["limits"]["memory"]


def test_a_volume_that_podsecurity_restricted_forbids_is_refused() -> None:
    stated = ("extraVolumes[0].name=v", "extraVolumes[0].hostPath.path=/")
    done = tool("helm-template", "prod", "deploy/helm", *MINIMAL, *stated)
    assert done.returncode != 0
    assert "hostPath" in done.stderr


def test_the_platform_may_choose_the_user() -> None:
    spec = pod(one("Deployment", *MINIMAL, "userId=null"))
    assert "fsGroup" not in spec["securityContext"]
    assert "runAsUser" not in spec["containers"][0]["securityContext"]
    spec = pod(one("Deployment"))
    assert spec["containers"][0]["securityContext"]["runAsUser"] == 10001


def test_probes_ask_what_they_should() -> None:
    server = container(one("Deployment"))
    assert server["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert server["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert {each["containerPort"] for each in server["ports"]} == {8080, 9090}
    assert pod(one("Deployment"))["terminationGracePeriodSeconds"] > 30 + 5
    for each in filter(deployed, resources(*MINIMAL, "startupSeconds=300")):
        probe = container(each)["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] == 300


def test_secrets_are_named_and_never_made() -> None:
    assert "Secret" not in kinds(*EVERYTHING)
    for each in filter(deployed, resources(*EVERYTHING)):
        named = [source["secretRef"]["name"] for source in container(each)["envFrom"][1:]]
        assert named == ["store", "keys", "webhooks"]


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ((), "tmf683:0.2.0"),
        (("image.tag=1.2.3",), "tmf683:1.2.3"),
        (("image.tag=20261126",), "tmf683:20261126"),
        (("image.registry=r.example:5000",), "r.example:5000/tmf683:0.2.0"),
        (("image.registry=r.example/", "image.repository=a/b"), "r.example/a/b:0.2.0"),
        ((f"image.digest=sha256:{'0a' * 32}",), f"tmf683@sha256:{'0a' * 32}"),
        (("image.tag=1", f"image.digest=sha256:{'0a' * 32}"), f"tmf683@sha256:{'0a' * 32}"),
    ],
)
def test_the_image_has_a_registry_a_tag_and_a_digest(stated: tuple[str, ...], name: str) -> None:
    made = resources(*MINIMAL, *stated)
    images = [container(each)["image"] for each in made if deployed(each)]
    images += [each["spec"]["containers"][0]["image"] for each in made if each["kind"] == "Pod"]
    assert images == [name] * 3


def test_numbers_and_booleans_reach_the_server_as_they_were_written() -> None:
    data = one("ConfigMap", *EVERYTHING, name="prod-interactions")["data"]
    assert data["TMF_MAX_BODY"] == "10485760"  # Go prints 1.048576e+07
    assert data["TMF_ACCESS_LOG"] == "false"
    assert data["TMF_QUERY_SECONDS"] == "2.5"
    assert data["TMF_WORKERS"] == "6"  # settings win over the chart's own
    assert data["OTEL_SDK_DISABLED"] == "false"
    assert data["OTEL_TRACES_SAMPLER_ARG"] == "0.1"
    settings = {
        name[4:].lower(): value
        for name, value in data.items()
        if name in ("TMF_MAX_BODY", "TMF_ACCESS_LOG", "TMF_QUERY_SECONDS", "TMF_WORKERS")
    }
    read = Settings(**settings)
    assert (read.max_body, read.access_log, read.workers) == (10485760, False, 6)


def test_other_variables_volumes_and_mounts_reach_servers_and_delivery_workers() -> None:
    for each in filter(deployed, resources(*EVERYTHING)):
        variables = {variable["name"]: variable for variable in container(each)["env"]}
        assert variables["SSL_CERT_FILE"]["value"] == "/etc/ca/ca.crt"
        assert variables["GOMAXPROCS"]["value"] == "2"
        assert variables["HTTPS_PROXY"]["valueFrom"]["secretKeyRef"]["name"] == "proxy"
        mounted = {mount["name"]: mount["mountPath"] for mount in container(each)["volumeMounts"]}
        assert mounted == {
            "tmp": "/tmp", "data": "/data", "contracts": "/etc/tmf683/contracts",
            "sources": "/etc/tmf683/sources", "jwks": "/etc/jwks", "ca": "/etc/ca/ca.crt",
            "overlays": "/etc/tmf683/overlays",
        }  # fmt: skip
        assert mounted.keys() == {volume["name"] for volume in pod(each)["volumes"]}


def test_contracts_and_sources_come_from_configmaps() -> None:
    data = one("ConfigMap", *EVERYTHING, name="prod-interactions")["data"]
    assert data["TMF_SPEC"].split(":") == [
        "/etc/tmf683/contracts/tmf683-v4.yaml",
        "/etc/tmf683/contracts/tmf621.json",
    ]
    assert data["TMF_SOURCES"] == "/etc/tmf683/sources/tmf681-v4.yaml"
    volumes = pod(one("Deployment", *EVERYTHING, name="prod-interactions"))["volumes"]
    assert {"name": "contracts", "configMap": {"name": "contracts"}} in volumes


def test_pods_are_scheduled_as_the_values_say() -> None:
    for each in filter(deployed, resources(*EVERYTHING)):
        spec = pod(each)
        assert spec["nodeSelector"] == {"kubernetes.io/arch": "amd64", "pool": "1"}
        assert [taint["effect"] for taint in spec["tolerations"]] == ["NoSchedule", "NoExecute"]
        assert spec["affinity"].keys() == {"nodeAffinity", "podAntiAffinity"}
        assert spec["imagePullSecrets"] == [{"name": "registry"}, {"name": "mirror"}]
        assert spec["priorityClassName"] == "high"
        assert spec["serviceAccountName"] == "tmf"
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert (labels["team"], labels["cost-center"]) == ("crm", "4711")
        own, stated = spec["topologySpreadConstraints"]
        assert own["labelSelector"]["matchLabels"] == each["spec"]["selector"]["matchLabels"]
        assert stated["labelSelector"]["matchLabels"] == {"team": "crm"}


def test_the_service_account_has_annotations_or_is_somebody_elses() -> None:
    account = one("ServiceAccount", *EVERYTHING, name="tmf")
    assert account["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/tmf"
    }
    theirs = (*MINIMAL, "serviceAccount.create=false", "serviceAccount.name=theirs")
    assert "ServiceAccount" not in kinds(*theirs)
    assert pod(one("Deployment", *theirs))["serviceAccountName"] == "theirs"


def test_servers_spread_over_hosts_when_nothing_is_said() -> None:
    server = one("Deployment")
    (only,) = pod(server)["topologySpreadConstraints"]
    assert (only["topologyKey"], only["maxSkew"]) == ("kubernetes.io/hostname", 1)
    assert only["labelSelector"] == server["spec"]["selector"]


def ports_of(rules: list[dict[str, Any]]) -> list[set[int]]:
    return [{each["port"] for each in rule.get("ports", [])} for rule in rules]


def test_the_network_policy_admits_those_who_are_named() -> None:
    spec = one("NetworkPolicy", *EVERYTHING, name="prod-interactions")["spec"]
    api, metrics = spec["ingress"]
    assert api["ports"] == [{"port": 8080}]
    assert api["from"][0] == {"podSelector": {}}
    assert {"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.9.0/24"]}} in api["from"]
    assert len(api["from"]) == 3
    assert metrics == {
        "from": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
        "ports": [{"port": 9090}],
    }


def test_the_network_policy_lets_pods_reach_store_tracing_keys_and_listeners() -> None:
    spec = one("NetworkPolicy", *EVERYTHING, name="prod-interactions")["spec"]
    assert ports_of(spec["egress"]) == [{53}, {27018, 443, 8443, 4318}, {9000}]
    canvas = one("NetworkPolicy", *ISTIO)["spec"]
    assert ports_of(canvas["egress"]) == [{53}, {27017, 443, 80, 8083}]
    assert canvas["ingress"][0]["from"][1] == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-ingress"}}
    }


def test_ingress_and_route_lead_to_the_service_below_the_root_path() -> None:
    ingress = one("Ingress", *EVERYTHING, name="prod-interactions")
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/ssl-redirect"] == "true"
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == [
        "api.example.com",
        "*.example.org",
    ]
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["path"] == "/prod-interactions"
    service = one("Service", *EVERYTHING, name="prod-interactions")
    named = {port["name"] for port in service["spec"]["ports"]}
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert path["backend"]["service"]["port"]["name"] in named
    route = one("HTTPRoute", *EVERYTHING, name="prod-interactions")["spec"]
    (rule,) = route["rules"]
    assert rule["matches"][0]["path"]["value"] == "/prod-interactions"
    assert rule["backendRefs"] == [{"name": service["metadata"]["name"], "port": 8080}]
    plain = one("Ingress", *MINIMAL, "ingress.enabled=true")["spec"]["rules"]
    assert plain[0]["http"]["paths"][0]["path"] == "/"
    assert "host" not in plain[0]


@EVERY_SET
def test_the_notes_say_what_comes_next(values: tuple[str, ...]) -> None:
    notes = rendered(*values)["tmf683/templates/NOTES.txt"]
    names = {each["metadata"]["name"] for each in resources(*values) if deployed(each)}
    assert set(re.findall(r"deployment/(\S+)", notes)) < names
    assert "helm test prod" in notes


def test_the_pod_of_helm_test_is_no_endpoint_of_a_service() -> None:
    labels = one("Pod", *MINIMAL, name="prod-partyinteraction-test")["metadata"]["labels"]
    for service in (each for each in resources(*MINIMAL) if each["kind"] == "Service"):
        assert not service["spec"]["selector"].items() <= labels.items()


@pytest.mark.parametrize("insecure", [True, False])
def test_what_helm_test_runs_passes_where_the_api_answers(insecure: bool) -> None:
    program, url = command_of_the_pod()
    key = f"crm:read:{'0' * 64}"
    data = one("ConfigMap", *CANVAS)["data"] | {"TMF_MANAGEMENT_PORT": str(free_port())}
    data |= {"TMF_INSECURE": str(insecure)} | ({} if insecure else {"TMF_API_KEYS": key})
    assert url == "http://prod-partyinteraction:8080/prod-partyinteraction"
    with running_server(env=data) as server:
        ours = url.replace("http://prod-partyinteraction:8080", server.url)
        done = run(program, ours)
        assert done.returncode == 0, done.stdout + done.stderr
        wrong = run(program, ours.replace("/prod-partyinteraction", "/elsewhere"))
        assert wrong.returncode != 0
    assert run(program, ours).returncode != 0


def command_of_the_pod() -> tuple[str, str]:
    (only,) = one("Pod", *CANVAS, name="prod-partyinteraction-test")["spec"]["containers"]
    assert only["command"] == ["python", "-c"]
    program, url = only["args"]
    return program, url


def run(program: str, url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, url]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


WHOLE = (*CANVAS, "identity.issuer=https://i.example", "identity.audience=tmf683",
         "identity.partyClaim=party_id", "identity.jwks=https://i.example/keys")  # fmt: skip


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
    component = one("Component", *ISTIO)
    schema = yaml.safe_load((Path(__file__).parent / "component.schema.yaml").read_text())
    jsonschema.Draft202012Validator(schema).validate(component)
    spec = component["spec"]
    roles = {each["name"] for each in spec["securityFunction"]["componentRole"]}
    assert spec["securityFunction"]["canvasSystemRole"] in roles
    services = {each["metadata"]["name"] for each in resources(*ISTIO) if each["kind"] == "Service"}
    named = set(re.findall(r"'implementation': '([^']+)'", str(component)))
    assert named == services
    root = one("ConfigMap", *ISTIO)["data"]["TMF_ROOT_PATH"]
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
