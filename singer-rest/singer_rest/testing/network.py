"""Test helpers: a proxy that wants a password, and a server that encrypts another one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def password_proxy(folder: Path, login: str) -> Iterator[str]:
    """Runs a proxy that wants a user name and password, by the package proxy-py.

    Args:
        folder: An empty folder for its files.
        login: The user name and password, as "user:password".

    Yields:
        Its host and port.
    """
    port_file = folder / "port"
    options = ["--port=0", f"--port-file={port_file}", f"--basic-auth={login}", "--num-acceptors=1", "--num-workers=1"]
    process = subprocess.Popen(  # noqa: S603 - a fixed command
        [sys.executable, "-m", "proxy", "--log-level=ERROR", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (port_file.exists() and port_file.read_text().strip()):
            if process.poll() is not None:
                raise RuntimeError("The proxy did not start.")
            time.sleep(0.02)
        yield f"127.0.0.1:{port_file.read_text().split()[0]}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def tls_front(url: str, context: ssl.SSLContext) -> Iterator[str]:
    """Runs a server that decrypts connections and passes them on.

    Args:
        url: The address of a local server without encryption.
        context: The context with the certificate.

    Yields:
        The address of the encrypted server.
    """
    port = int(url.rpartition(":")[2])
    loop = asyncio.new_event_loop()
    tasks: set[asyncio.Task[Any]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(65536):
                writer.write(part)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        for ends in ((reader, inner_writer), (inner_reader, writer)):
            task = loop.create_task(copy(*ends))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def stop() -> None:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(connect, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
