"""Every kind of server at once, each answer with the version: HTTP, WebSocket, TCP and UDP echo.

HTTP on port 8000 (an upgrade makes it a WebSocket), lines of TCP on 7000, UDP on 7000. Variables:
START_DELAY seconds pass before it listens; with IGNORE_TERM it ends by SIGKILL only.
"""

import asyncio
import base64
import hashlib
import os
import pathlib
import signal
import struct
import time

VERSION = pathlib.Path("/version.txt").read_text(encoding="ascii").strip()
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
TEXT, CLOSE = 0x1, 0x8


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(VERSION.encode() + b" " + data, addr)


async def lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """TCP: every line comes back, the version before it."""
    while line := await reader.readline():
        writer.write(VERSION.encode() + b" " + line)
        await writer.drain()
    writer.close()


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """HTTP/1.1 with kept connections; the body is the version."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            headers = dict(
                row.split(": ", 1) for row in head.decode("latin-1").split("\r\n")[1:] if row
            )
            lower = {name.lower(): value for name, value in headers.items()}
            if lower.get("upgrade", "").lower() == "websocket":
                await websocket(lower["sec-websocket-key"], reader, writer)
                break
            body = f"{VERSION}\n".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has left
    writer.close()


async def websocket(key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every message comes back, the version before it."""
    accept = base64.b64encode(hashlib.sha1(f"{key}{GUID}".encode()).digest()).decode()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    while True:
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
        mask = await reader.readexactly(4)
        masked = await reader.readexactly(size)
        message = bytes(byte ^ mask[n % 4] for n, byte in enumerate(masked))
        if first & 0x0F == CLOSE:
            return
        answer = VERSION.encode() + b" " + message
        assert len(answer) < 126
        writer.write(bytes([0x80 | TEXT, len(answer)]) + answer)
        await writer.drain()


async def main() -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    on_term = (lambda: None) if os.environ.get("IGNORE_TERM") else ended.set
    loop.add_signal_handler(signal.SIGTERM, on_term)
    time.sleep(float(os.environ.get("START_DELAY", "0")))
    await asyncio.start_server(http, "0.0.0.0", 8000, backlog=512)
    await asyncio.start_server(lines, "0.0.0.0", 7000, backlog=512)
    await loop.create_datagram_endpoint(Echo, ("0.0.0.0", 7000))
    await ended.wait()


asyncio.run(main())
