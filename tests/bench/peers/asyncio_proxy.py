"""A TCP load balancer as a student writes it: python3 asyncio_proxy.py PORT BACKEND_PORT..."""

import asyncio
import itertools
import sys

port, *backends = map(int, sys.argv[1:])
turn = itertools.cycle(backends)


async def forward(reader, writer):
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


async def handle(client_reader, client_writer):
    try:
        backend_reader, backend_writer = await asyncio.open_connection("127.0.0.1", next(turn))
    except OSError:
        client_writer.close()
        return
    await asyncio.gather(
        forward(client_reader, backend_writer), forward(backend_reader, client_writer)
    )
    backend_writer.close()
    client_writer.close()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


asyncio.run(main())
