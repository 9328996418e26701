# SPDX-License-Identifier: Apache-2.0
"""Adapters of what this repository builds."""
import base64
import functools
import json
import os
import shutil

from peers import HTTP, HTTPS, PASSTHROUGH, Peer
from rig import HERE

GATEWAY = "gateway.networking.k8s.io/v1"


class Built(Peer):
    """By `./dev bench`."""

    def executable(self):
        path = os.path.join(HERE, "..", "..", "build", "release", "bin", self.binary)
        return os.path.abspath(path) if os.path.exists(path) else None

    def version(self):
        return ""


def on_both_rings(name, make):
    """Functions that make the adapter of a rig, by the adapters' names."""
    return {f"{name}-{ring}": functools.partial(make, name=f"{name}-{ring}", ring=ring) for ring in ("io_uring", "epoll")}


class BareRing(Built):
    """The worker's I/O loop alone."""
    binary = "bench_ring"
    hint = "./dev bench ring"
    does = {"http"}

    def __init__(self, rig, name, ring):
        self.name, self.ring = name, ring
        super().__init__(rig)

    def command(self):
        return [self.executable(), self.ring, f"0.0.0.0:{HTTP}", self.rig.backend("A")]


def resource(kind, name, version=GATEWAY, labels=None, **parts):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels or {}}, **parts}


def route(name, section, backend, kind="HTTPRoute", hostnames=(), matches=()):
    rule = {"backendRefs": [{"name": backend.lower(), "port": 80}], **({"matches": list(matches)} if matches else {})}
    return resource(kind, name, spec={"parentRefs": [{"name": "bench", "sectionName": section}],
                                      **({"hostnames": list(hostnames)} if hostnames else {}), "rules": [rule]})


def service(name, ip, port):
    name = name.lower()
    return [resource("Service", name, "v1", spec={"ports": [{"name": "http", "port": 80}]}),
            resource("EndpointSlice", name + "-1", "discovery.k8s.io/v1", {"kubernetes.io/service-name": name}, addressType="IPv4",
                     ports=[{"name": "http", "port": port, "protocol": "TCP"}], endpoints=[{"addresses": [ip]}])]


def encoded(path):
    with open(path, "rb") as file:
        return base64.b64encode(file.read()).decode()


class Penstock(Built):
    """The worker in user space; `ring` chooses its event loop. What a switch changes lies in a file of its own."""
    binary = "penstockd"
    hint = "./dev bench l7"

    def __init__(self, rig, name, ring):
        self.name, self.ring = name, ring
        super().__init__(rig)

    def edge(self):
        listeners = [{"name": "http", "protocol": "HTTP", "port": HTTP},
                     {"name": "https", "protocol": "HTTPS", "port": HTTPS, "tls": {"certificateRefs": [{"name": "bench"}]}},
                     {"name": "passthrough", "protocol": "TLS", "port": PASSTHROUGH, "tls": {"mode": "Passthrough"}}]
        rig = self.rig
        return [resource("GatewayClass", "penstock", spec={"controllerName": "penstock.dev/gateway-controller"}),
                resource("Gateway", "bench", spec={"gatewayClassName": "penstock", "listeners": listeners,
                                                   "addresses": [{"type": "IPAddress", "value": rig.proxy_ip}]}),
                resource("Secret", "bench", "v1", type="kubernetes.io/tls", data={"tls.crt": encoded(rig.cert), "tls.key": encoded(rig.key)}),
                *service("A", rig.backend_ip, rig.backend_port["A"]), *service("B", rig.backend_ip, rig.backend_port["B"]),
                *(route(f"sni-{s}", "passthrough", s, "TLSRoute", [f"{s}.test"]) for s in "ab")]

    def manifest(self, name, objects):
        self.write(f"manifests/{name}.yaml", "---\n".join(json.dumps(each) + "\n" for each in objects))

    def configure(self):
        self.manifest("rest", [route("rest", "http", self.backend), route("rest-tls", "https", self.backend)])
        if not self.process:
            self.manifest("edge", self.edge())
            self.manifest("routes", [route(f"r{i}", "http", "B", hostnames=[f"r{i}.test"], matches=[{"path": {"type": "PathPrefix", "value": f"/p{i}"}}])
                                     for i in range(self.routes)])

    def command(self):
        state = os.path.join(self.work, "run")
        shutil.rmtree(state, ignore_errors=True)  # nothing is left of the last start
        return [self.executable(), "--config", os.path.join(self.work, "manifests"), "--state-dir", state, "--datapath", "userspace",
                "--ring", self.ring, "--workers", "1"]
