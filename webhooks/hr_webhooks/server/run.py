"""Runs the receiver until a signal."""

from __future__ import annotations

import asyncio
import logging
import resource
import shutil
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from hr_webhooks.config import is_loopback, load_config
from hr_webhooks.errors import ConfigError
from hr_webhooks.heard import Heard
from hr_webhooks.journal import Journal
from hr_webhooks.private_files import read_lines
from hr_webhooks.server.app import Receiver
from hr_webhooks.server.commits import Committer
from hr_webhooks.server.listening import Certificate, Server, open_socket, parse_listen, url_of
from hr_webhooks.server.logs import RequestLog
from hr_webhooks.server.metrics import Metrics
from hr_webhooks.server.routes import Routes
from hr_webhooks.server.status_pages import StatusPages

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from hr_webhooks.config import Config

LOGGER = logging.getLogger(__name__)
LOCK_SECONDS = 2.0  # less than the time to answer
HOUSEKEEPING_SECONDS = 5.0  # between looks at the certificate, and writes of when something last came


class Service:
    """The receiver with its sockets.

    Args:
        path: The configuration file, which is read again on SIGHUP.
        config: Its content, maybe with other values from the command line.

    Raises:
        ConfigError: If something in the configuration cannot be used.
        OSError: If the journal's folder cannot be created.
    """

    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        settings = config.server
        routes = Routes(config)
        self._journal = Journal(config.journal_path, create=True, lock_seconds=LOCK_SECONDS)
        self._heard = Heard(self._journal.folder)
        self._committer = Committer(self._journal)
        self._metrics = Metrics(self._heard, self._find_position, self._find_free)
        self._receiver = Receiver(
            routes,
            settings,
            committer=self._committer,
            heard=self._heard,
            metrics=self._metrics,
            log=RequestLog(),
        )
        self._certificate = _find_certificate(config)
        context = self._certificate.context if self._certificate else None
        self._listener = _open_listener(config)
        try:
            status = _open_status_listener(config)
        except ConfigError:
            self._listener.close()
            raise
        self.url = url_of(self._listener, "https" if context else "http")
        self._servers = [
            Server(
                self._receiver,
                self._listener,
                context,
                seconds=settings.receive_seconds,
                on_refused=self._metrics.refused_connections.inc,
            )
        ]
        if status:
            listener, token = status
            self.status_url: str | None = url_of(listener, "http")
            self._servers.append(Server(StatusPages(self._journal, self._metrics, token), listener))
        else:
            self.status_url = None

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Serves until SIGTERM or SIGINT.

        Args:
            on_ready: Called as soon as requests are answered.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        tasks = [asyncio.create_task(server.serve()) for server in self._servers]
        housekeeping = asyncio.create_task(self._do_housekeeping())
        try:
            for server in self._servers:
                await server.ready.wait()
            on_ready()
            await asyncio.gather(*tasks)
        finally:
            housekeeping.cancel()
            await asyncio.to_thread(self._save_heard)
            self._committer.close()

    def stop(self) -> None:
        """Stops accepting requests, and answers those that are under way."""
        for server in self._servers:
            server.stop()

    def _reload(self) -> None:
        """Reads the addresses and secrets of the configuration again."""
        try:
            self._receiver.routes = Routes(load_config(self._path))
        except ConfigError as error:
            LOGGER.error("%s The former configuration stays valid.", error)  # noqa: TRY400 - the message says it all
        else:
            LOGGER.info("Read the configuration again")
        self._renew_certificate()

    def _renew_certificate(self) -> None:
        try:
            if self._certificate and self._certificate.reload():
                LOGGER.info("Read the certificate again")
        except ConfigError as error:
            LOGGER.error("%s The former certificate stays in use.", error)  # noqa: TRY400 - the message says it all
        except Exception as error:  # noqa: BLE001 - the receiver goes on
            LOGGER.error("The certificate cannot be read again: %s", type(error).__name__)  # noqa: TRY400 - same

    async def _do_housekeeping(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self._renew_certificate()
            await asyncio.to_thread(self._save_heard)

    def _save_heard(self) -> None:
        with suppress(OSError):  # only informative; `/health` tells when the disk is full
            self._heard.save()

    def _find_position(self) -> int:
        if self._committer.last is not None:  # what can be told without waiting for the disk
            return self._committer.last
        try:
            return self._journal.last_position()
        except OSError:
            return 0

    def _find_free(self) -> int:
        return shutil.disk_usage(self._journal.folder).free


def raise_file_limit() -> None:
    """Allows as many open files as the system does: connections are files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _find_certificate(config: Config) -> Certificate | None:
    settings = config.server
    if not settings.certificate_file and not settings.key_file:
        return None
    if not settings.certificate_file or not settings.key_file:
        raise ConfigError("Set both `server.certificate_file` and `server.key_file`, or neither.")
    return Certificate(config.resolve(settings.certificate_file), config.resolve(settings.key_file))


def _open_listener(config: Config) -> socket.socket:
    settings = config.server
    host, port = parse_listen(settings.listen)
    if not (settings.certificate_file or settings.plain_http or is_loopback(host)):
        raise ConfigError(
            f"Other machines could connect to {host} without encryption. Listen on 127.0.0.1, set "
            "`server.certificate_file`, or set `server.plain_http` if a reverse proxy encrypts."
        )
    return open_socket(host, port)


def _open_status_listener(config: Config) -> tuple[socket.socket, str | None] | None:
    settings = config.server
    if settings.status_listen is None:
        return None
    host, port = parse_listen(settings.status_listen)
    token = None
    if settings.status_token_file:
        path = config.resolve(settings.status_token_file)
        try:
            lines = read_lines(path)
        except FileNotFoundError:
            lines = []
        if len(lines) != 1:
            raise ConfigError(f"{path} must hold one line, the token for /metrics.")
        token = lines[0]
    elif not is_loopback(host):
        raise ConfigError(
            f"Other machines could read the metrics on {host}. Listen on 127.0.0.1, or set `server.status_token_file`."
        )
    return open_socket(host, port), token
