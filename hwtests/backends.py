#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Backends that say who they are: HTTP, TLS, TCP and UDP on the ports of configs/quickstart.yaml, IPv4 and IPv6.

    backends.py NAME [--http 8080] [--tls 8443 --cert PEM --key PEM] [--tcp 5432] [--udp 5353]

HTTP answers "NAME METHOD TARGET from PEER" and echoes a body's length; /bytes/N sends N bytes; /delay/MS waits. TCP sends "NAME PEER\\n"
and then echoes. UDP answers "NAME PEER " and the datagram.
"""
import argparse
import http.server
import socket
import socketserver
import ssl
import threading
import time


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together: one that is killed has answered whole, or not at all

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else self.read_chunks()
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[0] == "delay":
            time.sleep(int(parts[1]) / 1000)
        if parts[0] == "bytes":
            text = b"x" * int(parts[1])
        else:
            text = f"{self.server.who} {self.command} {self.path} from {self.client_address[0]} body {len(body)}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Backend", self.server.who)
        for name in ("X-Forwarded-For", "X-Forwarded-Proto", "Host"):
            if name in self.headers:
                self.send_header("X-Echo-" + name, self.headers[name])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def handle_expect_100(self):
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def read_chunks(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return b""
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        return body

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer

    def log_message(self, *_):
        pass


class WebServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def handle_error(self, *_):
        pass  # a client that goes away is no news


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(f"{self.server.who} {self.client_address[0]}\n".encode())
        while data := self.request.recv(65536):
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def handle_error(self, *_):
        pass


def serve_udp(who, port):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", port))
        # Answer from the address that was asked: a backend has several.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        while True:
            data, control, _, peer = sock.recvmsg(65536, 256)
            sock.sendmsg([f"{who} {peer[0]} ".encode() + data], [c for c in control if c[1] == socket.IPV6_PKTINFO], 0, peer)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    for option in ("http", "tls", "tcp", "udp"):
        parser.add_argument("--" + option, type=int)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    args = parser.parse_args()
    servers = []
    if args.http:
        servers.append(WebServer(("::", args.http), Web))
    if args.tls:
        server = WebServer(("::", args.tls), Web)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        servers.append(server)
    if args.tcp:
        servers.append(EchoServer(("::", args.tcp), Echo))
    for server in servers:
        server.who = args.name
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    if args.udp:
        serve_udp(args.name, args.udp)
    threading.Event().wait()


if __name__ == "__main__":
    main()
