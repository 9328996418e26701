# SPDX-License-Identifier: Apache-2.0
"""Sends requests that are given as bytes, one after the other, each on a connection of its own, and says what came back.

    raw_client.py HOST PORT < [[ID, BASE64], ...]     prints [{id, status, closed, heads}, ...] as JSON

status: of the final answer, or null. closed: the server ended the connection. heads: the answers' heads.
"""
import base64
import contextlib
import json
import re
import socket
import sys
import time

SILENCE, AFTER_ANSWER, WHOLE = 1.5, 0.2, 6.0
FINAL = re.compile(rb"^HTTP/1\.\d (101|[2-5]\d\d)", re.M)


def exchange(address, raw):
    data, closed, end = b"", False, time.monotonic() + WHOLE
    with socket.create_connection(address, timeout=2) as s:
        with contextlib.suppress(ConnectionError):  # it may answer and close before it has read all
            s.sendall(raw)
        try:
            while time.monotonic() < end:
                s.settimeout(AFTER_ANSWER if FINAL.search(data) else SILENCE)
                got = s.recv(65536)
                if not got:
                    closed = True
                    break
                data += got
        except TimeoutError:
            pass
        except OSError:
            closed = True
    final = FINAL.search(data)
    return {"status": int(final.group(1)) if final else None, "closed": closed, "heads": data[:2000].decode("latin-1")}


def main():
    address = (sys.argv[1], int(sys.argv[2]))
    print(json.dumps([{"id": name, **exchange(address, base64.b64decode(raw))} for name, raw in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
