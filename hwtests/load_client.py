#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bounded HTTP/1.1 load that takes nothing for granted: COUNT requests over CONNECTIONS kept-alive connections.

Prints one JSON line: answers by status and backend, errors, and connections that were closed although HTTP did not ask for it.
    load_client.py VIP PORT HOST TARGET COUNT CONNECTIONS
"""
import collections
import http.client
import json
import sys
import threading


def new_total():
    return {"closed": 0, **{key: collections.Counter() for key in ("status", "backend", "version", "errors")}}


def ask(connection, host, target, may_close, total, lock):
    """One request. `may_close`: HTTP has announced the connection's end; gives that for the next one."""
    try:
        connection.request("GET", target, headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
        with lock:
            total["status"][str(answer.status)] += 1
            total["backend"][answer.headers.get("X-Backend", "")] += 1
            total["version"][answer.headers.get("X-Version", "")] += 1
        return answer.will_close
    except (OSError, http.client.HTTPException) as error:
        with lock:
            total["errors"][type(error).__name__] += 1
            total["closed"] += 0 if may_close else 1
        connection.close()
        return may_close


def work(vip, port, host, target, count, total, lock):
    connection, may_close = http.client.HTTPConnection(vip, port, timeout=10), True
    for _ in range(count):
        may_close = ask(connection, host, target, may_close, total, lock)


def main():
    vip, port, host, target, count, connections = sys.argv[1:7]
    total, lock = new_total(), threading.Lock()
    share = int(count) // int(connections)
    threads = [threading.Thread(target=work, args=(vip, int(port), host, target, share, total, lock)) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(total))


if __name__ == "__main__":
    main()
