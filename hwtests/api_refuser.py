# SPDX-License-Identifier: Apache-2.0
"""An API server that refuses much of what it is asked: api_refuser.py ADDRESS PORT KUBECONFIG_JSON ORDERS

Speaks HTTP, and passes on over TLS with the kubeconfig's client certificate. ORDERS is a file that is read for each request: `CODE SHARE`, so that
a share (0 to 1) of the requests is answered with that status, or nothing. 429 has a Retry-After.
"""
import base64
import http.client
import http.server
import json
import pathlib
import random
import ssl
import sys
import tempfile
import urllib.parse


def access(kubeconfig):
    config = json.loads(kubeconfig)
    user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
        pair.flush()
        context.load_cert_chain(pair.name)
    return urllib.parse.urlsplit(cluster["server"]), context


class Refuser(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    dice = random.Random(7)

    def log_message(self, *_):
        pass

    def refuse(self, code):
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "refused for a test", "code": code}).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        if code == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        order = self.orders.read_text().split()
        if order and self.dice.random() < float(order[1]):
            return self.refuse(int(order[0]))
        at, context = self.api
        upstream = http.client.HTTPSConnection(at.hostname, at.port, context=context)
        try:
            upstream.request(self.command, self.path, body, {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection")})
            answer = upstream.getresponse()
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(key, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while piece := answer.read1(65536):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
        finally:
            upstream.close()
        return None

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any


if __name__ == "__main__":
    Refuser.api = access(pathlib.Path(sys.argv[3]).read_text())
    Refuser.orders = pathlib.Path(sys.argv[4])
    http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Refuser).serve_forever()
