#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Backends by well-known libraries: a gRPC server (grpcio) and a WebSocket server (websockets).

    foreign_backends.py [--grpc PORT] [--websocket PORT]

gRPC speaks bytes, without generated code: /pst.Echo/Unary gives the request back, Count N sends N messages, Sum counts what the client
streams, Chat echoes each message, Fail ends with the code and the words that the request names; all add x-initial and x-trailing. The
WebSocket server echoes, agrees on the subprotocol "chat", and closes with 4001 on "bye".
"""
import argparse
import asyncio
import concurrent.futures
import threading

import grpc
import websockets


def told(handler):
    def wrapped(request, context):
        context.send_initial_metadata((("x-initial", "first"),))
        context.set_trailing_metadata((("x-trailing", "last"),))
        return handler(request, context)
    return wrapped


def count(request, _):
    for number in range(int(request)):
        yield b"%d" % number


def fail(request, context):
    code, words = request.split(b" ", 1)
    context.abort(grpc.StatusCode[code.decode()], words.decode())


class Echo(grpc.GenericRpcHandler):
    METHODS = {
        "Unary": grpc.unary_unary_rpc_method_handler(told(lambda request, _: request)),
        "Count": grpc.unary_stream_rpc_method_handler(told(count)),
        "Sum": grpc.stream_unary_rpc_method_handler(told(lambda requests, _: b"%d" % sum(len(r) for r in requests))),
        "Chat": grpc.stream_stream_rpc_method_handler(told(lambda requests, _: iter(requests))),
        "Fail": grpc.unary_unary_rpc_method_handler(told(fail)),
    }

    def service(self, details):
        service, method = details.method.strip("/").split("/")
        return self.METHODS.get(method) if service == "pst.Echo" else None


def serve_grpc(port):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), handlers=[Echo()], options=[("grpc.max_receive_message_length", 32 << 20)])
    server.add_insecure_port(f"[::]:{port}")
    server.start()
    return server


async def echo(socket):
    async for message in socket:
        if message == "bye":
            await socket.close(4001, "as you wish")
            return
        await socket.send(message)


async def serve_websocket(port):
    async with websockets.serve(echo, "", port, subprotocols=["chat"], max_size=32 << 20):
        print("ready", flush=True)
        await asyncio.Future()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--grpc", type=int)
    parser.add_argument("--websocket", type=int)
    args = parser.parse_args()
    server = serve_grpc(args.grpc) if args.grpc else None
    if args.websocket:
        asyncio.run(serve_websocket(args.websocket))
    print("ready", flush=True)
    threading.Event().wait()
    del server


if __name__ == "__main__":
    main()
