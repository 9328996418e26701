# SPDX-License-Identifier: Apache-2.0
"""What the clients of test_clients.py talk to: an edge on one ring, with a route for each of them."""
import subprocess
import sys

import lab
from edge import HOMES, ROOT, VIP4, VIP6, Edge
from manifests import secret, service

HOST = "shop.example.com"
MANIFEST = """apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: penstock}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: penstock
  addresses: [{value: %(vip4)s}, {value: '%(vip6)s'}]
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - name: https
    port: 443
    protocol: HTTPS
    tls: {certificateRefs: [{name: ecdsa}, {name: rsa}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: edge}]
  hostnames: [shop.example.com]
  rules:
  - matches: [{path: {value: /chat}}]
    backendRefs: [{name: chat, port: 80}]
  - matches: [{path: {value: /nobody}}]
    backendRefs: [{name: nobody, port: 80}]
  - matches: [{path: {value: /cart}}]
    sessionPersistence: {cookie: {name: cart}}
    backendRefs: [{name: shop, port: 80}]
  - matches: [{path: {value: /desk}}]
    sessionPersistence: {type: Header, header: {name: X-Desk}}
    backendRefs: [{name: shop, port: 80}]
  - matches: [{path: {value: /frail}}]
    backendRefs: [{name: frail, port: 80}]
  - backendRefs: [{name: shop, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: any-host}
spec:
  parentRefs: [{name: edge}]
  rules:
  - matches: [{path: {value: /any}}]
    backendRefs: [{name: shop, port: 80}]
  - matches: [{path: {value: /bytes}}]
    backendRefs: [{name: shop, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: rpc}
spec:
  parentRefs: [{name: edge}]
  hostnames: [rpc.example.com]
  rules:
  - matches: [{method: {service: pst.Echo}}]
    backendRefs: [{name: rpc, port: 80}]
  - matches: [{method: {service: pst.Nobody}}]
    backendRefs: [{name: nobody, port: 80}]
"""
FRAIL = "metadata: {name: frail, annotations: {penstock.dev/eject-failures: '2', penstock.dev/eject-time: 2s}}\n"


class ClientEdge(Edge):
    def __init__(self, ring):
        super().__init__({}, options=["--datapath", "userspace", "--ring", ring])
        self.foreign, self.ring = False, ring
        ready = subprocess.run([sys.executable, "-c", "import grpc, websockets"], check=False, capture_output=True).returncode == 0
        if ready:
            self.foreign = True
            self.start("host", sys.executable, str(ROOT / "hwtests" / "foreign_backends.py"), "--grpc", "9000", "--websocket", "9001", log="foreign.log")
            lab.wait_for("the foreign backends", lambda: "ready" in self.read("foreign.log"), 20)
        pod, host = HOMES["pod"][0], HOMES["host"][0]
        text = MANIFEST % {"vip4": VIP4, "vip6": VIP6}
        text += service("shop", "http", 8080, [pod, host]) + service("chat", "kubernetes.io/ws", 9001, [host])
        text += service("rpc", "kubernetes.io/h2c", 9000, [host]) + service("nobody", "http", 80, [])
        text += service("frail", "http", 8080, [HOMES["bridged"][0], pod]).replace("metadata: {name: frail}\n", FRAIL)
        text += secret("ecdsa", *self.certificate("ecdsa", HOST, also="*.example.com"))
        text += secret("rsa", *self.certificate("rsa", HOST, ("rsa:2048",), also="*.example.com"))
        self.put("edge.yaml", text)
        lab.wait_for("the edge", lambda: "200" in self.curl(f"http://{HOST}:80/", "-i", host=HOST, check=False))

    def client(self, *argv, check=True, timeout=120, text_in=None):
        """A program in the client namespace; gives its whole output."""
        stdin = {"input": text_in} if text_in is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run([*self.prefix("client"), *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              check=False, timeout=timeout, cwd=self.folder, **stdin)
        if check and done.returncode != 0:
            raise lab.LabError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout[-2000:]}")
        return done.stdout
