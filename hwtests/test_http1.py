# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 requests of a published collection (Http11Probe), byte for byte, against the worker: what must be refused is refused, and
nothing of it reaches a backend. The collection is not part of the repository: PST_HTTP_CASES names the file, or it is looked for beside
the repository. Cases of our own are in userspace/http and in userspace/proxy/framing_test.cpp."""
import base64
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

import lab
from edge import ROOT, VIP4

CASES = pathlib.Path(os.environ.get("PST_HTTP_CASES", ROOT.parent / "shared" / "data" / "http11probe_cases.json"))
SCORE_MIN = 115

# Answered otherwise than the collection expects: {id: why}. None today.
OTHERWISE = {}

LONG = 100 * 1024
LINE, HOST = b"GET / HTTP/1.1\r\n", b"Host: localhost:8080\r\n"
# The file has these cut at 8192 bytes, or with "?" for every byte above 127. Here they are whole, after their descriptions.
WHOLE = {
    "MAL-LONG-URL": b"GET /" + b"A" * LONG + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "MAL-LONG-HEADER-VALUE": LINE + HOST + b"X-Big: " + b"B" * LONG + b"\r\n\r\n",
    "MAL-MANY-HEADERS": LINE + HOST + b"".join(b"X-H-%d: value\r\n" % n for n in range(10000)) + b"\r\n",
    "MAL-LONG-HEADER-NAME": LINE + HOST + b"A" * LONG + b": value\r\n\r\n",
    "MAL-LONG-METHOD": b"A" * LONG + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "MAL-CHUNK-EXT-64K": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5;ext=" + b"a" * 65536 +
                         b"\r\nhello\r\n0\r\n\r\n",
    "MAL-NON-ASCII-HEADER-NAME": LINE + HOST + b"X-T\xc3\xabst: value\r\n\r\n",
    "MAL-NON-ASCII-URL": b"GET /caf\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "MAL-URL-OVERLONG-UTF8": b"GET /\xc0\xaf HTTP/1.1\r\n" + HOST + b"\r\n",
    "MAL-BINARY-GARBAGE": bytes((n * 167 + 62) % 256 for n in range(256)),
}

GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: penstock}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: penstock
  addresses: [{type: IPAddress, value: %s}]
  listeners: [{name: http, protocol: HTTP, port: 8080}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 9000}]
endpoints: [{addresses: [192.0.2.11]}]
""" % VIP4

# Answers 200 to every head at once, whatever follows, and says so on its output: nothing that reaches it stays unseen.
BACKEND = """
import socket, threading
def serve(s):
    data = b""
    while True:
        while b"\\r\\n\\r\\n" not in data:
            got = s.recv(65536)
            if not got:
                return
            data += got
        head, data = data.split(b"\\r\\n\\r\\n", 1)
        print("request", head.split(b"\\r\\n")[0].decode("latin-1"), flush=True)
        fields = dict(l.lower().split(b": ", 1) for l in head.split(b"\\r\\n")[1:])
        left = int(fields.get(b"content-length", 0))
        chunked = b"transfer-encoding" in fields
        while len(data) < left or chunked and not data.endswith(b"\\r\\n\\r\\n") and data != b"0\\r\\n\\r\\n":
            got = s.recv(65536)
            if not got:
                return
            data += got
        data = b"" if chunked else data[left:]
        body = b"" if head.startswith(b"HEAD ") else b"ok"
        s.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nX-Backend: 1\\r\\n\\r\\n" + body)
with socket.create_server(("", 9000)) as server:
    print("ready", flush=True)
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


def verdict(expected, status, closed):
    """The collection's own words: "400 or close (pass), 2xx (warn)", "400/505 or close", "!101", "2xx + close"."""
    if "(warn)" in expected:
        wanted, tolerated = expected.split("(pass)")
        if verdict(wanted.strip(), status, closed) == "pass":
            return "pass"
        return "warn" if verdict(tolerated.strip(", ").split()[0], status, closed) == "pass" else "fail"
    if expected.startswith("!"):
        return "fail" if status == int(expected[1:]) else "pass"
    if expected == "2xx + close":
        return "pass" if status and status // 100 == 2 and closed else "fail"
    for word in re.split(r" or |/", expected):
        silent = {"close": closed, "timeout": not closed}.get(word, False)
        spoken = word in (str(status), f"{(status or 0) // 100}xx")
        if (silent and status is None) or (status and spoken):
            return "pass"
    return "fail"


def send(edge, raw):
    """What the client saw of each of `raw` ({id: bytes}), and whether the backend saw anything of it."""
    seen = []
    for name, text in raw.items():
        before = edge.read("raw-backend.log").count("request ")
        done = subprocess.run([*edge.prefix("client"), sys.executable, str(ROOT / "hwtests" / "raw_client.py"), VIP4, "8080"],
                              input=json.dumps([[name, base64.b64encode(text).decode()]]), capture_output=True, text=True, check=True, timeout=60)
        seen += json.loads(done.stdout)
        seen[-1]["reached"] = edge.read("raw-backend.log").count("request ") > before
    return seen


@pytest.mark.skipif(not CASES.exists(), reason="the collection of cases is not here; PST_HTTP_CASES names it")
def test_the_collection_s_cases_are_answered_as_it_expects(make_edge):
    edge = make_edge({"gateway.yaml": GATEWAY}, options=["--datapath", "userspace"], backends=False)
    edge.start("host", sys.executable, "-c", BACKEND, log="raw-backend.log")
    lab.wait_for("the backend", lambda: "ready" in edge.read("raw-backend.log"))
    lab.wait_for("the route", lambda: "200" in edge.curl(f"http://{VIP4}:8080/", "-i", check=False))
    cases = {case["id"]: case for case in json.loads(CASES.read_text())["cases"]}
    answers = send(edge, {name: WHOLE.get(name, case["rawRequest"].encode()) for name, case in cases.items()})

    score, otherwise, let_through = 0, {}, []
    for answer in answers:
        case = cases[answer["id"]]
        got = verdict(case["expected"], answer["status"], answer["closed"])
        score += case["scored"] and got == "pass"
        if got != "pass":
            otherwise[answer["id"]] = f"{answer['status']}, {'closed' if answer['closed'] else 'open'}; expected {case['expected']}"
        may_reach = re.search(r"2xx|200|timeout|!101", case["expected"])
        if answer["reached"] and not may_reach:
            let_through.append(answer["id"])
    print(f"{score} of {sum(case['scored'] for case in cases.values())} scored cases; otherwise: {otherwise}; let through: {let_through}")
    assert let_through == []
    assert set(otherwise) == set(OTHERWISE)
    assert score >= SCORE_MIN
