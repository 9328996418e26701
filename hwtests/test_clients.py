# SPDX-License-Identifier: Apache-2.0
"""Clients that nobody here wrote, on both rings: curl, nghttp, h2load, grpc, websockets, openssl s_client, testssl.sh, slowhttptest."""
import json
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

import lab
from client_edge import HOST, ClientEdge
from edge import VIP4


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="module", params=["io_uring", "epoll"])
def edge(request):
    with ClientEdge(request.param) as made:
        yield made
        assert made.processes("penstock-worker", "active")[0]["restarts"] == 0
        if request.session.testsfailed:
            print(made.read("penstock.log")[-20000:])


# ---- curl -------------------------------------------------------------------------------------------------------------
CURL = {
    "HTTP/1.0": (["--http1.0"], "http", 80, "1.1"),
    "HTTP/1.1": (["--http1.1"], "http", 80, "1.1"),
    "HTTP/2 by prior knowledge": (["--http2-prior-knowledge"], "http", 80, "2"),
    "HTTP/1.1 over TLS 1.2": (["--http1.1", "--tls-max", "1.2"], "https", 443, "1.1"),
    "HTTP/1.1 over TLS 1.3": (["--http1.1", "--tlsv1.3"], "https", 443, "1.1"),
    "HTTP/2 over TLS 1.2": (["--http2", "--tls-max", "1.2"], "https", 443, "2"),
    "HTTP/2 over TLS 1.3": (["--http2", "--tlsv1.3"], "https", 443, "2"),
}
# HTTP/1.0 has a connection for each request; curl 7.88 breaks its second one of HTTP/2 by prior knowledge (curl issue 10634).
UNABLE_TO_REUSE = ("HTTP/1.0", "HTTP/2 by prior knowledge")


@pytest.mark.parametrize("name", CURL)
def test_curl_gets_sends_and_uploads(edge, name):
    options, scheme, port, version = CURL[name]
    url = f"{scheme}://{HOST}:{port}"
    code = ["-k", *options, "-o", "body", "-w", "%{http_code} %{http_version} %{size_download}"]

    def curl(path, *more):
        return edge.client("curl", "-sS", "--max-time", "20", "--noproxy", "*", "--resolve", f"{HOST}:{port}:{VIP4}", *code, *more, url + path)
    assert curl("/") == f"200 {version} {len(edge.read('body'))}"
    assert curl("/bytes/3000000") == f"200 {version} 3000000"
    assert curl("/", "-I").startswith(f"200 {version} ")
    body = pathlib.Path(edge.folder, "upload")
    body.write_bytes(b"u" * 2_000_000)
    for more in ([], ["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"] if "HTTP/1.1" in name else []):
        assert curl("/", "--data-binary", "@upload", *more).startswith("200")
        assert "body 2000000" in edge.read("body")
    if name in UNABLE_TO_REUSE:
        return
    many = edge.client("curl", "-sS", "--max-time", "20", "--noproxy", "*", "--resolve", f"{HOST}:{port}:{VIP4}", "-k", *options, "-o", "/dev/null",
                       "-w", "%{http_code} %{num_connects}\n", url + "/?[1-10]").split("\n")[:-1]
    assert [row.split()[0] for row in many] == ["200"] * 10
    assert sum(int(row.split()[1]) for row in many) == 1


# ---- curl and its backends --------------------------------------------------------------------------------------------
def backends_of(edge, url, *options, host=HOST):
    """Who answered curl, which asks as often as `url` says; each answer must be 200."""
    scheme, rest = url.split("://")
    port = {"http": 80, "https": 443}[scheme]
    said = edge.client("curl", "-sS", "-k", "--max-time", "30", "--noproxy", "*", "--resolve", f"{host}:{port}:{VIP4}", *options, "-o", "/dev/null",
                       "-w", "%{http_code} %header{x-backend}\n", f"{scheme}://{host}:{port}/{rest}").split("\n")[:-1]
    assert {row.split()[0] for row in said} == {"200"}
    return [row.split()[1] for row in said]


@pytest.mark.parametrize("options,scheme", [(["--http1.1"], "http"), (["--http1.1"], "https"), (["--http2"], "https")])
def test_curl_keeps_its_backend_by_a_cookie(edge, options, scheme):
    jars = []
    for number in range(2):
        jar = str(pathlib.Path(edge.folder, f"jar-{scheme}-{options[0]}-{number}"))
        pathlib.Path(jar).unlink(missing_ok=True)
        first = backends_of(edge, f"{scheme}://cart", *options, "-c", jar)
        assert "cart" in pathlib.Path(jar).read_text()
        # A process for each: only the jar is theirs in common.
        assert [one for _ in range(6) for one in backends_of(edge, f"{scheme}://cart?[1-2]", *options, "-b", jar, "-c", jar)] == first * 12
        jars += first
    assert len(set(backends_of(edge, f"{scheme}://cart?[1-6]", *options))) == 2  # who has no session is led to all


def test_curl_keeps_its_backend_by_a_header(edge):
    head = str(pathlib.Path(edge.folder, "head"))
    first = backends_of(edge, "http://desk", "-D", head)
    token = re.search(r"(?im)^x-desk: (\S+)", pathlib.Path(head).read_text()).group(1)
    assert [one for _ in range(6) for one in backends_of(edge, "http://desk", "-H", f"X-Desk: {token}")] == first * 6


def test_curl_sees_no_backend_stop_and_come_back(edge):
    assert set(backends_of(edge, "http://frail?[1-8]")) == {"bridged", "pod"}

    def failures():
        services = edge.get("/v1/counters")["services"]
        return sum(one["connect_failures"] for one in services if one["object"]["name"] == "frail")
    before = failures()
    edge.stop(edge.backend_processes["bridged"], signal.SIGKILL)
    try:
        # Kept connections that ended, connections that are refused: nothing of it is to be seen. Nor with a body, which only goes where
        # there is a connection.
        for more in ([], ["--data", "x=y"]):
            for _ in range(10):
                assert set(backends_of(edge, "http://frail?[1-4]", *more)) == {"pod"}
        assert before < failures() < before + 20  # of eighty requests, of which half would have gone there
    finally:
        edge.start_backend("bridged")
    lab.wait_for("the backend to be used again", lambda: "bridged" in backends_of(edge, "http://frail?[1-4]"), 60, 0.2)
    assert set(backends_of(edge, "http://frail?[1-8]")) == {"bridged", "pod"}


# ---- HTTP/2 -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("url", [f"http://{VIP4}:80", f"https://{VIP4}:443"])
def test_nghttp_gets_many_streams_and_uploads(edge, url):
    need("nghttp")
    authority = ["-H", f":authority: {HOST}", "-H", f"host: {HOST}"][:2]
    out = edge.client("nghttp", "-nv", "--no-dep", "-m", "20", *authority, f"{url}/bytes/50000")
    assert len(re.findall(r":status: 200", out)) == 20
    assert "GOAWAY" not in out.split("send GOAWAY")[0]
    pathlib.Path(edge.folder, "body").write_bytes(b"u" * 1_000_000)
    out = edge.client("nghttp", "-v", "--no-dep", *authority, "-d", "body", "--trailer", "x-sum: 1", f"{url}/")
    assert ":status: 200" in out and "body 1000000" in out


@pytest.mark.parametrize("options, url", [
    (["--h1"], f"http://{HOST}:80"), (["--h1"], f"https://{HOST}:443"), (["-m", "10"], f"http://{HOST}:80"), (["-m", "10"], f"https://{HOST}:443")],
    ids=["h1", "h1 over TLS", "h2c", "h2"])
def test_h2load_loses_no_request(edge, options, url):
    need("h2load")
    requests = 3000
    out = edge.client("h2load", "-n", str(requests), "-c", "20", *options, f"--connect-to={VIP4}:{url.rsplit(':')[-1]}", f"{url}/bytes/1000")
    counts = dict((name, int(number)) for number, name in re.findall(r"(\d+) (total|done|succeeded|failed|errored|timeout)", out))
    assert counts["succeeded"] == requests and counts["failed"] == counts["errored"] == counts["timeout"] == 0
    assert f"{requests} 2xx, 0 3xx, 0 4xx, 0 5xx" in out


# ---- gRPC ---------------------------------------------------------------------------------------------------------------
GRPC = """
import grpc, json, sys
address, secure, root = sys.argv[1:4]
options = [("grpc.default_authority", "rpc.example.com"), ("grpc.ssl_target_name_override", "rpc.example.com"), ("grpc.max_receive_message_length", 32 << 20)]
if secure == "yes":
    channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(open(root, "rb").read()), options)
else:
    channel = grpc.insecure_channel(address, options)
def told(call):
    return [dict(call.initial_metadata()).get("x-initial"), dict(call.trailing_metadata()).get("x-trailing")]
out = {}
answer, call = channel.unary_unary("/pst.Echo/Unary").with_call(b"hello", timeout=20)
out["unary"] = [answer.decode(), *told(call)]
big = b"x" * 8_000_000
out["big"] = channel.unary_unary("/pst.Echo/Unary")(big, timeout=20) == big
call = channel.unary_stream("/pst.Echo/Count")(b"1000", timeout=20)
out["count"] = [sum(1 for _ in call), *told(call)]
out["sum"] = channel.stream_unary("/pst.Echo/Sum")((b"x" * 1000 for _ in range(500)), timeout=20).decode()
import queue
wishes = queue.Queue()
call = channel.stream_stream("/pst.Echo/Chat")(iter(wishes.get, None), timeout=20)
talk = []
for word in (b"one", b"two", b"three"):  # each answer is waited for before the next word is said
    wishes.put(word)
    talk.append(next(call).decode())
wishes.put(None)
out["chat"] = [talk, list(call), *told(call)]
def failed(method, request=b"", timeout=20):
    try:
        channel.unary_unary(method)(request, timeout=timeout)
    except grpc.RpcError as error:
        return [error.code().name, error.details(), dict(error.trailing_metadata() or ()).get("x-trailing")]
out["fail"] = failed("/pst.Echo/Fail", "RESOURCE_EXHAUSTED too much: \\u00e4".encode())
out["unknown method"] = failed("/pst.Echo/Missing")[0]
out["no route"] = failed("/pst.Other/Unary")[0]
out["no backend"] = failed("/pst.Nobody/Unary")[0]
print(json.dumps(out))
"""


@pytest.mark.parametrize("secure, port", [("no", 80), ("yes", 443)])
def test_grpc_speaks_in_every_direction(edge, secure, port):
    if not edge.foreign:
        pytest.skip("python3-grpcio is not installed")
    # One file of authorities: grpc takes whichever certificate is served.
    root = edge.write("roots.pem", edge.read("ecdsa.crt") + edge.read("rsa.crt"))
    out = json.loads(edge.python(GRPC, f"{VIP4}:{port}", secure, root))
    assert out == {"unary": ["hello", "first", "last"], "big": True, "count": [1000, "first", "last"], "sum": "500000",
                   "chat": [["one", "two", "three"], [], "first", "last"], "fail": ["RESOURCE_EXHAUSTED", "too much: \u00e4", "last"],
                   "unknown method": "UNIMPLEMENTED", "no route": "UNIMPLEMENTED", "no backend": "UNAVAILABLE"}


# ---- WebSocket ------------------------------------------------------------------------------------------------------------
WEBSOCKET = """
import asyncio, json, ssl, sys, websockets
async def main():
    context = None
    if sys.argv[1].startswith("wss"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    out = {}
    async with websockets.connect(sys.argv[1], host=sys.argv[2], ssl=context, subprotocols=["chat"], max_size=32 << 20) as socket:
        out["subprotocol"] = socket.subprotocol
        await socket.send("hello")
        out["text"] = await socket.recv()
        big = bytes(range(256)) * 20_000
        await socket.send(big)
        out["binary"] = await socket.recv() == big
        await asyncio.wait_for(await socket.ping(), 10)
        await socket.send("bye")
        try:
            await socket.recv()
        except websockets.ConnectionClosed as closed:
            out["closed"] = [closed.code, closed.reason]
    print(json.dumps(out))
asyncio.run(main())
"""


@pytest.mark.parametrize("url", [f"ws://{HOST}/chat", f"wss://{HOST}/chat"])
def test_websocket_echoes_and_closes(edge, url):
    if not edge.foreign:
        pytest.skip("python3-websockets is not installed")
    out = json.loads(edge.python(WEBSOCKET, url, VIP4))
    assert out == {"subprotocol": "chat", "text": "hello", "binary": True, "closed": [4001, "as you wish"]}


# ---- TLS ------------------------------------------------------------------------------------------------------------------
def s_client(edge, *options):
    """What s_client says of its connection, with an answer to a request if it came to that."""
    return edge.client("openssl", "s_client", "-connect", f"{VIP4}:443", "-servername", HOST, "-ign_eof", *options, check=False,
                       text_in=f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")


def test_s_client_versions_and_certificates(edge):
    for version in ("1_2", "1_3"):
        out = s_client(edge, f"-tls{version}")
        assert "HTTP/1.1 200" in out and f"TLSv{version.replace('_', '.')}" in out
    for version in ("1", "1_1"):
        assert "HTTP/1.1" not in s_client(edge, f"-tls{version}", "-cipher", "ALL:@SECLEVEL=0")
    assert "Peer signature type: ECDSA" in s_client(edge, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert "Peer signature type: RSA" in s_client(edge, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
    assert "Peer signature type: RSA" in s_client(edge, "-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256")
    assert "ALPN protocol: h2" in s_client(edge, "-alpn", "h2,http/1.1")
    assert "ALPN protocol: http/1.1" in s_client(edge, "-alpn", "http/1.1")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client_resumes_its_session(edge, version):
    session = f"{edge.folder}/session{version}"
    assert "HTTP/1.1 200" in s_client(edge, version, "-sess_out", session)
    again = s_client(edge, version, "-sess_in", session)
    assert "HTTP/1.1 200" in again and "Reused, TLSv1" in again


# Types a request, a letter that is an order to s_client, and another request; gives what came back.
TYPING = """
import subprocess, sys, time
process = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
try:
    for text in ("GET /one HTTP/1.1\\r\\nHost: shop.example.com\\r\\n\\r\\n", sys.argv[1] + "\\n", "GET /two HTTP/1.1\\r\\nHost: shop.example.com\\r\\n\\r\\n"):
        process.stdin.write(text.encode())
        process.stdin.flush()
        time.sleep(1)
except BrokenPipeError:
    pass
process.kill()
print(process.stdout.read().decode(errors="replace"))
"""


@pytest.mark.parametrize("letter, version, serves_on", [("R", "-tls1_2", False), ("K", "-tls1_3", True), ("k", "-tls1_3", True)],
                         ids=["renegotiation", "new keys both ways", "new keys"])
def test_s_client_may_change_keys_and_not_renegotiate(edge, letter, version, serves_on):
    out = edge.python(TYPING, letter, "openssl", "s_client", "-connect", f"{VIP4}:443", "-servername", HOST, version)
    assert "GET /one" in out and ("RENEGOTIATING" in out or "KEYUPDATE" in out)
    assert ("GET /two" in out) == serves_on


def test_testssl_finds_nothing_wrong(edge):
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if not program:
        pytest.skip("testssl.sh is not installed")
    if edge.ring != "epoll":
        pytest.skip("the handshake is the same on both rings, and this takes a minute")
    report = pathlib.Path(edge.folder, "testssl.json")
    # Protocols, suites, forward secrecy, vulnerabilities.
    edge.client(program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", VIP4, "--sneaky", "-p", "-s", "-f", "-U",
                "--jsonfile", str(report), f"{HOST}:443", check=False, timeout=600)
    found = json.loads(report.read_text())
    assert len(found) > 30  # it did look
    # BREACH is the application's; LUCKY13 is said of every suite with CBC.
    ours = [f for f in found if f["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL") and f["id"] not in ("BREACH", "LUCKY13")]
    assert ours == [], ours


# ---- slow clients -----------------------------------------------------------------------------------------------------------
ATTACKS = {"headers": (["-H"], "/any"), "body": (["-B", "-s", "100000"], "/any"),
           "read": (["-X", "-w", "512", "-y", "1024", "-n", "3", "-z", "32"], "/bytes/3000000")}


def test_slowhttptest_takes_the_edge_from_nobody_and_is_shown_the_door(edge):
    need("slowhttptest")
    # All attacks at once; those that last as long as a body's deadline on one ring alone.
    running = {name: subprocess.Popen([*edge.prefix("client"), "slowhttptest", *ATTACKS[name][0], "-c", "300", "-r", "100", "-i", "2", "-l", "150", "-x", "10",
                                       "-p", "3", "-u", f"http://{VIP4}{ATTACKS[name][1]}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      cwd=edge.folder) for name in (ATTACKS if edge.ring == "io_uring" else ["headers"])}
    while any(process.poll() is None for process in running.values()):
        assert "200" in edge.curl(f"http://{HOST}:80/", "-i", host=HOST).splitlines()[0]
        time.sleep(0.5)
    for name, process in running.items():
        out = process.communicate()[0]
        assert "NO" not in re.findall(r"service available:\s+(\w+)", out), name
        # It ended because we closed every connection, not because its time was up.
        assert "No open connections left" in out, name
