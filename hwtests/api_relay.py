# SPDX-License-Identifier: Apache-2.0
"""A relay before an API server that can be slow, or cut what passes in the middle: api_relay.py ADDRESS PORT TO_PORT ORDERS

ORDERS is a file that is read before each piece to the client: `delay SECONDS`, `cut BYTES` (so many more on each connection, then a reset), or nothing.
"""
import asyncio
import pathlib
import socket
import struct
import sys

PIECE = 4096


async def move(source, sink, orders):
    left = None
    while data := await source.read(PIECE):
        word, _, value = (orders.read_text().strip() if orders else "").partition(" ")
        if word == "delay":
            await asyncio.sleep(float(value))
        if word == "cut":
            left = int(value) if left is None else left
            if left < len(data):
                sink.write(data[:left])
                await sink.drain()
                sink.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sink.transport.abort()
                return
            left -= len(data)
        else:
            left = None
        sink.write(data)
        await sink.drain()
    sink.close()


async def main(address, port, to_port, orders):
    async def serve(reader, writer):
        try:
            api_reader, api_writer = await asyncio.open_connection(address, to_port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(move(reader, api_writer, None), move(api_reader, writer, orders), return_exceptions=True)
        writer.transport.abort()
        api_writer.transport.abort()

    async with await asyncio.start_server(serve, address, port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])))
