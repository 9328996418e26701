# SPDX-License-Identifier: Apache-2.0
"""Objects with junk in every optional field, as far as an API server lets it pass: what is served goes on, each object is told in its own
status, and the statuses come to rest. PST_JUNK_SEED makes the same objects again."""
import copy
import json
import os
import random
import re
import time

import pytest

from cluster import eventually
from edge import ROOT
from junk import STRINGS, Junk, fields, present

OURS = "penstock.dev/gateway-controller"
GROUP = "gateway.networking.k8s.io"
ROUTES = ("httproutes", "grpcroutes", "tlsroutes", "tcproutes", "udproutes")
KINDS = ("gatewayclasses", "gateways", "listenersets", *ROUTES, "backendtlspolicies", "referencegrants")
EACH = 24  # objects of a kind that are made with many fields at once
TRIES = 14  # of one object, while the server refuses it

TEXT = {"type": "string"}
NAME = {"type": "string", "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$", "maxLength": 30}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
TRUTH = {"type": "boolean"}
PROTOCOL = {"type": "string", "enum": ["TCP", "UDP", "SCTP"]}
APP_PROTOCOL = {"type": "string", "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$", "maxLength": 15}


def table(of, *keys):
    return {"type": "object", "additionalProperties": of, "x-keys": keys}


def rows(of, most=3, key=None):
    return {"type": "array", "items": of, "maxItems": most, **({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]} if key else {})}


def record(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


BYTES = {"type": "string", "format": "byte"}
REF = record(kind=TEXT, namespace=NAME, name=NAME, uid=TEXT, apiVersion=TEXT, fieldPath=TEXT)
# The kinds that are no CRD: what we read of them, and some of what we do not.
CORE = {
    "services": ("v1", "Service", record(("spec",), spec=record(
        ("ports",), type={"type": "string", "enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, selector=table(NAME), sessionAffinity={"type": "string", "enum": ["None", "ClientIP"]},
        publishNotReadyAddresses=TRUTH, internalTrafficPolicy={"type": "string", "enum": ["Cluster", "Local"]}, externalIPs=rows({"type": "string", "enum": ["203.0.113.7", "203.0.113.8"]}),
        ports=rows(record(("port", "name"), name=NAME, port=PORT, protocol=PROTOCOL, targetPort={"x-kubernetes-int-or-string": True}, appProtocol=APP_PROTOCOL), key="name")))),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice", record(
        ("addressType", "endpoints"), addressType={"type": "string", "enum": ["IPv4", "IPv6", "FQDN"]},
        endpoints=rows(record(("addresses",), addresses=rows({"type": "string", "enum": ["10.244.9.1", "10.244.9.2", "fd00:244::909", "junk.example"]}, 1),
                              conditions=record(ready=TRUTH, serving=TRUTH, terminating=TRUTH), hostname=NAME, nodeName=NAME, zone=NAME, targetRef=REF,
                              hints=record(forZones=rows(record(("name",), name=NAME), 3, "name"))), 60),
        ports=rows(record(("name",), name=NAME, port=PORT, protocol=PROTOCOL, appProtocol=APP_PROTOCOL), 3, "name"))),
    "secrets": ("v1", "Secret", record(type={"type": "string", "enum": ["Opaque", "kubernetes.io/tls", "junk.example/x"]}, data=table(BYTES, "tls.crt", "tls.key", "ca.crt"),
                                       stringData=table(TEXT, "tls.crt", "tls.key", "ca.crt"), immutable=TRUTH)),
    "configmaps": ("v1", "ConfigMap", record(data=table(TEXT, "ca.crt", "addresses"), binaryData=table(BYTES, "tls.crt", "blob"), immutable=TRUTH)),
}

# Objects that junk refers to.
BESIDE = """
apiVersion: v1
kind: Namespace
metadata: {name: junk}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: own, namespace: junk}
spec:
  gatewayClassName: lab-both
  allowedListeners: {namespaces: {from: All}}
  listeners:
  - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
  - {name: tls, port: 8443, protocol: TLS, tls: {mode: Passthrough}}
  - {name: tcp, port: 3000, protocol: TCP}
  - {name: udp, port: 3000, protocol: UDP}
---
apiVersion: v1
kind: Service
metadata: {name: beside, namespace: junk}
spec: {ports: [{name: http, port: 80}, {name: other, port: 443}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: beside, namespace: junk}
spec:
  parentRefs: [{name: own, sectionName: http}]
  hostnames: [beside.junk.example]
  rules: [{backendRefs: [{name: beside, port: 80}]}]
"""


class Collection:
    """What there is of one kind."""
    def __init__(self, api, plural, api_version, kind, schema, namespaced=True):
        self.api, self.plural, self.kind, self.schema = api, plural, kind, schema
        self.api_version = api_version
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        self.path = base + ("/namespaces/junk/" if namespaced else "/") + plural
        self.optional = {path for path, may_go in fields(schema).items() if may_go}
        self.seen = set()

    def objects(self):
        return [one for one in self.api.ask("GET", self.path)[1]["items"] if one["metadata"]["name"].startswith("junk-") or one["metadata"].get("namespace") == "junk"]


class Maker:
    """Makes junk and sends it until the server takes it."""
    def __init__(self, api, seed, annotations):
        self.api, self.junk, self.annotations = api, Junk(seed), annotations
        self.random = random.Random(seed)
        self.refused = {}  # why, of the last that were not to be mended
        self.made = 0

    def metadata(self, plural):
        self.made += 1
        value = lambda: self.random.choice((*STRINGS, "1", "10s", "64Ki", "true", "off", "beside:80"))  # noqa: E731
        labels = {"penstock.dev/junk": "x", "junk.example/" + "a" * 63: ""}
        if plural == "endpointslices":
            labels["kubernetes.io/service-name"] = self.random.choice(("beside", "nowhere"))
        return {"name": f"junk-{self.made}", "labels": labels,
                "annotations": {**{key: value() for key in self.random.sample(self.annotations, 6)}, "penstock.dev/unheard-of": value(), "x.example/y": ""}}

    def season(self, collection, thing):
        """So that much of it is ours to tell something of."""
        spec, often = thing.get("spec", {}), self.random.random() < 0.8
        if collection.plural == "gatewayclasses" and often:
            spec["controllerName"] = OURS
        elif collection.plural == "gateways":
            spec["gatewayClassName"] = self.random.choice(("lab-both", "lab-six", "lab-both", "nobody"))
            for listener in spec["listeners"]:
                if "filters" in listener:
                    listener["protocol"] = "HTTP"
                    listener.pop("tls", None)
        elif collection.plural == "listenersets" and often:
            whole = {"name": "own", "namespace": "junk", "group": GROUP, "kind": "Gateway"}
            spec["parentRef"] = {key: whole[key] for key in spec["parentRef"]}
        elif collection.plural == "backendtlspolicies":
            for target in spec["targetRefs"]:
                target.update({"group": "", "kind": "Service", **({"name": "beside"} if often else {})})
        elif collection.plural in ROUTES and often:
            for ref in spec.get("parentRefs", ())[:2]:
                name, ns = self.random.choice((("own", "junk"), ("both", "lab")))
                ref.update({"name": name, **({"namespace": ns} if "namespace" in ref or ns != "junk" else {})})
                ref.update({key: value for key, value in (("group", GROUP), ("kind", "Gateway")) if key in ref})
        return thing

    def send(self, collection, fill, focus=None, onto=None):
        """A new object, or another content of one that there is."""
        thing = self.season(collection, self.junk.value(collection.schema, fill, "", focus))
        for _ in range(TRIES):
            body = {"apiVersion": collection.api_version, "kind": collection.kind, "metadata": onto or self.metadata(collection.plural), **thing}
            code, answer = self.api.ask("PUT" if onto else "POST", collection.path + (f"/{onto['name']}" if onto else ""), body)
            if code < 300:
                collection.seen |= present(thing)
                return True
            self.refused[collection.plural, focus] = answer.get("message", "")[:600]
            named = [cause["field"] for cause in answer.get("details", {}).get("causes", []) if cause.get("field", "").split(".")[0].split("[")[0] in thing]
            if not named:
                return False
            for field in named:
                self.junk.repaired(thing, collection.schema, field)
        return False


@pytest.fixture(scope="module")
def collections(cluster):
    api = cluster.api()
    found = []
    for plural in KINDS:
        crd = api.ask("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}")[1]["spec"]
        version = next(one for one in crd["versions"] if one["storage"])
        schema = copy.deepcopy(version["schema"]["openAPIV3Schema"])
        schema["properties"] = {"spec": schema["properties"]["spec"]}
        schema["required"] = ["spec"]
        found.append(Collection(api, plural, f"{GROUP}/{version['name']}", crd["names"]["kind"], schema, crd["scope"] == "Namespaced"))
    return found + [Collection(api, plural, *what) for plural, what in CORE.items()]


def conditions_of(status):
    """All lists of conditions that are ours."""
    for one in [*status.get("parents", ()), *status.get("ancestors", ())]:
        if one["controllerName"] == OURS:
            yield one["conditions"]
    if "parents" not in status and "ancestors" not in status:
        yield status.get("conditions", [])
        for listener in status.get("listeners", ()):
            yield listener["conditions"]


class Expected:
    """What must be told, by what there is."""
    def __init__(self, collections):
        self.things = {one.plural: one.objects() for one in collections}
        key = lambda thing: (thing["metadata"].get("namespace"), thing["metadata"]["name"])  # noqa: E731
        self.gateways = {key(one) for one in self.things["gateways"] if one["spec"]["gatewayClassName"] in ("lab-both", "lab-six")} | {("lab", "both"), ("lab", "six")}
        self.sets = {key(one) for one in self.things["listenersets"] if self.is_ours(one["spec"]["parentRef"], "junk")}

    def is_ours(self, ref, ns):
        where = (ref.get("namespace", ns), ref["name"])
        if ref.get("group", GROUP) != GROUP:
            return False
        return where in {"Gateway": self.gateways, "ListenerSet": getattr(self, "sets", ())}.get(ref.get("kind", "Gateway"), ())

    def entries(self, plural, thing):
        """How many entries of its status must be ours; of conditions at the top: 1."""
        if plural == "gatewayclasses":
            return int(thing["spec"]["controllerName"] == OURS)
        if plural == "gateways":
            return int(thing["spec"]["gatewayClassName"] in ("lab-both", "lab-six"))
        if plural == "listenersets":
            return int(self.is_ours(thing["spec"]["parentRef"], "junk"))
        if plural in ROUTES:
            return min(len([ref for ref in thing["spec"].get("parentRefs", ()) if self.is_ours(ref, "junk")]), 32)
        if plural == "backendtlspolicies":
            return int(any((ref["group"], ref["kind"], ref["name"]) == ("", "Service", "beside") and ref.get("sectionName", "http") == "http" for ref in thing["spec"]["targetRefs"]))
        return 0

    def lacking(self):
        """The objects that are not told as they are now."""
        found = []
        for plural, things in self.things.items():
            for thing in things:
                lists = list(conditions_of(thing.get("status", {})))
                told = [all(one.get("observedGeneration") == thing["metadata"]["generation"] for one in conditions) and conditions for conditions in lists]
                ours = self.entries(plural, thing)
                if ours and not (len(told) >= ours and all(told)):
                    found.append((plural, thing["metadata"]["name"]))
        return found


def test_objects_with_junk_in_every_optional_field(cluster, collections):
    seed = int(os.environ.get("PST_JUNK_SEED", random.randrange(1 << 32)))
    print(f"PST_JUNK_SEED={seed}")
    daemon, address = cluster.daemons[0], next(one for one in cluster.addresses("both") if ":" not in one)
    parts = lambda: {one["name"]: one["pid"] for one in daemon.status()["processes"]}  # noqa: E731
    # A policy may ask for the system's CA certificates, and the machine have none.
    unsolved = lambda: [one for one in daemon.status()["errors"] if not one["solved"] and not one["message"].endswith("this system has no CA certificates")]  # noqa: E731
    # A young API server cuts watches; of one that is quiet it is known a minute later that it goes on.
    eventually(lambda: not unsolved(), "nothing is wrong", 150)
    before, pids = bare(cluster.get("gateway", "both")["status"]), parts()
    steady = cluster.steady(address, "one.lab.example")
    cluster.apply(BESIDE)
    annotations = sorted(set(re.findall(r"penstock\.dev/[a-z-]+[a-z]", (ROOT / "docs" / "reference" / "extensions.md").read_text())))
    maker = Maker(collections[0].api, seed, annotations)
    begun = time.monotonic()
    taken = sum(maker.send(one, fill) for one in collections for fill in [1] * (EACH // 3) + [0.6] * (EACH // 3) + [0.2] * (EACH // 3))
    for one in collections:
        for _ in range(60):  # until each field was in one that the server took
            for path in sorted(one.optional - one.seen):
                if path not in one.seen:
                    taken += maker.send(one, 0.05, focus=path)
    made = time.monotonic() - begun
    lacks = {f"{one.kind} {path}": maker.refused.get((one.plural, path)) for one in collections for path in sorted(one.optional - one.seen)}
    print(f"{taken} objects in {made:.0f} s, {sum(len(one.optional) for one in collections)} optional fields; in none: {json.dumps(lacks, indent=1)}")
    told(collections)
    # Others in their places: what was said must be said anew.
    edited = sum(maker.send(one, 0.5, onto={**maker.metadata(one.plural), "name": thing["metadata"]["name"], "resourceVersion": thing["metadata"]["resourceVersion"]})
                 for one in collections for thing in one.objects() if thing["metadata"]["name"].startswith("junk-") and maker.random.random() < 0.3)
    print(f"{edited} of them are others now, {time.monotonic() - begun:.0f} s")
    told(collections)
    versions = lambda: {(one.plural, thing["metadata"]["name"]): thing["metadata"]["resourceVersion"] for one in collections for thing in one.objects()}  # noqa: E731

    def at_rest():
        first = versions()
        time.sleep(5)
        return first == versions()
    eventually(at_rest, "the statuses come to rest")
    print(f"all is told and at rest {time.monotonic() - begun:.0f} s after the first; errors: {unsolved()}")
    eventually(lambda: not unsolved(), "nothing is wrong", 10)
    assert parts() == pids
    assert cluster.ask(address, "one.lab.example") == 200
    assert not lacks
    clear(cluster, collections)
    eventually(lambda: bare(cluster.get("gateway", "both")["status"]) == before, "the good Gateway is as before")
    eventually(lambda: not unsolved(), "nothing is wrong", 10)
    assert parts() == pids
    answers = steady.stop()
    print(f"{len(answers)} answers, {time.monotonic() - begun:.0f} s")
    assert set(answers) == {"200"} and len(answers) > 50


def told(collections):
    try:
        eventually(lambda: not Expected(collections).lacking(), "each object has its newest status")
    finally:
        for plural, name in Expected(collections).lacking():
            print("without its status:", json.dumps(next(one.api.ask("GET", f"{one.path}/{name}")[1] for one in collections if one.plural == plural)))


def bare(status):
    """Without times."""
    return json.loads(json.dumps(status), object_hook=lambda one: {key: value for key, value in one.items() if key != "lastTransitionTime"})


def clear(cluster, collections):
    cluster.kubectl("delete", "namespace", "junk", "--wait=false")
    for one in collections:
        if one.plural == "gatewayclasses":
            for thing in one.objects():
                one.api.ask("DELETE", f"{one.path}/{thing['metadata']['name']}")
    eventually(lambda: not cluster.kubectl("get", "namespace", "junk", "--ignore-not-found", "-o", "name"), "the namespace is gone")
