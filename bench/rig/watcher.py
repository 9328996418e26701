# SPDX-License-Identifier: Apache-2.0
"""Uses a proxy while its routes change, and counts what goes wrong. Usage: watcher.py IP PORT

20 keep-alive connections with 10 requests/s each, and downloads of 256 MiB read at about 1.3 MB/s: 4 from the start, one more after each change.
Takes the name of the new backend from stdin, a line for each change; answers with the monotonic time at which a new connection first had a
response from it, or "timeout"; at the end of stdin come the counts as JSON.
"""
import asyncio
import json
import sys
import time

IP, PORT = sys.argv[1], int(sys.argv[2])
COUNTS = ("ok", "non_200", "no_answer", "cut", "refused", "closed_idle", "told_to_close", "downloads", "downloads_cut", "probe_errors")
ASK = "GET %s HTTP/1.1\r\nHost: a.test\r\n%s\r\n"
BROKEN = (OSError, EOFError, asyncio.TimeoutError)
count = dict.fromkeys(COUNTS, 0)


async def response(reader):
    """(status, fields, length), all in lower case."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
    return int(head[0].split()[1]), fields, int(fields.get("content-length", 0))


async def request(reader, writer):
    """One on a connection that lasts; whether the connection may be used again."""
    answered = False
    try:
        writer.write((ASK % ("/1k", "")).encode())
        status, fields, length = await response(reader)
        answered = True
        await reader.readexactly(length)
    except BROKEN:
        count["cut" if answered else "no_answer"] += 1
        return False
    count["ok" if status == 200 else "non_200"] += 1
    told = fields.get("connection") == "close"
    count["told_to_close"] += told
    return not told


async def keep_alive():
    reader = writer = None
    while True:
        since = time.monotonic()
        if writer and reader.at_eof():
            count["closed_idle"] += 1
            writer.close()
            writer = None
        try:
            if not writer:
                reader, writer = await asyncio.open_connection(IP, PORT)
        except OSError:
            count["refused"] += 1
            await asyncio.sleep(0.05)
            continue
        if not await request(reader, writer):
            writer.close()
            writer = None
        await asyncio.sleep(max(0, 0.1 - (time.monotonic() - since)))


async def read_slowly(reader, left):
    while left > 0:
        data = await asyncio.wait_for(reader.read(1 << 16), 10)
        if not data:
            raise EOFError
        left -= len(data)
        await asyncio.sleep(0.05)


async def download():
    while True:
        began = False
        try:
            reader, writer = await asyncio.open_connection(IP, PORT, limit=1 << 16)
            writer.write((ASK % ("/big", "")).encode())
            status, _, length = await response(reader)
            count["downloads"] += 1
            count["non_200"] += status != 200
            began = True
            await read_slowly(reader, length)
            writer.close()
        except BROKEN:
            count["downloads_cut" if began else "no_answer"] += 1
            await asyncio.sleep(0.1)


async def first_from(backend):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            reader, writer = await asyncio.open_connection(IP, PORT)
            writer.write((ASK % ("/1k", "Connection: close\r\n")).encode())
            status, fields, _ = await response(reader)
            writer.close()
            count["probe_errors"] += status != 200
            if fields.get("x-backend") == backend.lower():
                return repr(time.monotonic())
        except BROKEN:
            count["probe_errors"] += 1
        await asyncio.sleep(0.001)
    return "timeout"


async def main():
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    jobs = [asyncio.create_task(keep_alive()) for _ in range(20)] + [asyncio.create_task(download()) for _ in range(4)]
    await asyncio.sleep(1)
    print("ready", flush=True)
    while line := (await stdin.readline()).decode().strip():
        print(await first_from(line), flush=True)
        jobs.append(asyncio.create_task(download()))
    for job in jobs:
        job.cancel()
    print(json.dumps(count), flush=True)


asyncio.run(main())
