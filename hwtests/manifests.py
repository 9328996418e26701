# SPDX-License-Identifier: Apache-2.0
"""Pieces of manifests that scenarios put together. Each is a document that begins with its separator."""
import base64
import pathlib

SERVICE = """---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{ports: [{{name: one, port: 80, appProtocol: {protocol}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: one, port: {port}}}]
endpoints: [{endpoints}]
"""
SECRET = """---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {{name: {name}}}
data: {{tls.crt: {certificate}, tls.key: {key}}}
"""


def service(name, protocol, port, addresses):
    """A Service with port 80 and its endpoints, which listen on `port`."""
    return SERVICE.format(name=name, protocol=protocol, port=port, endpoints=", ".join(f"{{addresses: [{address}]}}" for address in addresses))


def secret(name, certificate, key):
    """Of two PEM files."""
    certificate, key = (base64.b64encode(pathlib.Path(path).read_bytes()).decode() for path in (certificate, key))
    return SECRET.format(name=name, certificate=certificate, key=key)
