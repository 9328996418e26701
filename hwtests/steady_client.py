#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests over connections that are kept as long as HTTP lets them be, until SIGTERM; then prints what load_client.py prints.

    steady_client.py VIP PORT HOST TARGET CONNECTIONS
"""
import http.client
import json
import signal
import sys
import threading

from load_client import ask, new_total

ended = threading.Event()


def work(vip, port, host, target, total, lock):
    connection, may_close = http.client.HTTPConnection(vip, port, timeout=10), True
    while not ended.wait(0.02):
        may_close = ask(connection, host, target, may_close, total, lock)


def main():
    vip, port, host, target, connections = sys.argv[1:6]
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    total, lock = new_total(), threading.Lock()
    threads = [threading.Thread(target=work, args=(vip, int(port), host, target, total, lock)) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total.pop("version")  # one for each second
    print(json.dumps(total))


if __name__ == "__main__":
    main()
