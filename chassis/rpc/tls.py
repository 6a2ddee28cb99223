"""Mutual TLS between processes, with certificates that are renewed on disk while processes run.

Each handshake uses the current files, on both sides. Open connections stay open, and nothing is restarted.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.process.logs import logger

T = TypeVar("T")

_CHECK_SECONDS: Final = 1.0
_Stamp = tuple[tuple[int, int, int], ...]

_log = logger("tls")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of a process's certificate, its key, and the certificates of the authority it trusts, in PEM."""

    certificate: Path
    key: Path
    authority: Path


class Reloading(Generic[T]):
    """A value made from the files, which is made again when they change. Thread-safe.

    While the files are unusable, such as a new key before its certificate, the previous value stays.

    Args:
        files: the files, which are checked at most once a second.
        make: makes the value. Raises OSError or ValueError if the files are unusable.
    """

    def __init__(self, files: TlsFiles, make: Callable[[TlsFiles], T]) -> None:
        self._files = files
        self._make = make
        self._lock = threading.Lock()
        self._stamp = _stamp(files)
        self._value = make(files)
        self._check_at = time.monotonic() + _CHECK_SECONDS

    def current(self) -> T:
        """Returns the value of the current files."""
        with self._lock:
            if time.monotonic() >= self._check_at:
                self._check_files()
                self._check_at = time.monotonic() + _CHECK_SECONDS
            return self._value

    def _check_files(self) -> None:
        try:
            stamp = _stamp(self._files)
            if stamp == self._stamp:
                return
            value = self._make(self._files)
            if _stamp(self._files) != stamp:  # the files are being replaced; the next check sees all of them
                return
        except (OSError, ValueError) as error:
            _log.warning("certificate_unusable", error=type(error).__name__)
            return
        self._stamp, self._value = stamp, value
        _log.info("certificate_renewed")


def seconds_left(files: TlsFiles) -> float:
    """Returns the time until the certificate on disk expires, in s; 0 if it can't be read."""
    try:
        expires_at = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError):
        return 0.0
    return expires_at.timestamp() - time.time()


def _stamp(files: TlsFiles) -> _Stamp:
    states = (path.stat() for path in (files.certificate, files.key, files.authority))
    return tuple((state.st_ino, state.st_mtime_ns, state.st_size) for state in states)


class _Pems(NamedTuple):
    key: bytes
    certificate: bytes
    authority: bytes


def _pems(files: TlsFiles) -> _Pems:
    pems = _Pems(files.key.read_bytes(), files.certificate.read_bytes(), files.authority.read_bytes())
    certified_key = x509.load_pem_x509_certificates(pems.certificate)[0].public_key()
    if load_pem_private_key(pems.key, None).public_key() != certified_key:
        raise ValueError(f"{files.key} is not the key of {files.certificate}")
    x509.load_pem_x509_certificates(pems.authority)
    return pems


def grpc_server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Returns the credentials of a gRPC server that requires clients to have a certificate of the authority.

    Raises:
        OSError: a file can't be read.
        ValueError: a file is invalid.
    """
    configurations = Reloading(files, _configuration)
    in_use = configurations.current()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        """Returns a changed configuration, or None. gRPC calls it before each handshake, in its own thread."""
        nonlocal in_use
        current = configurations.current()
        if current is in_use:
            return None
        in_use = current
        return current

    # The stub lacks that the fetcher may return None.
    return grpc.dynamic_ssl_server_credentials(in_use, fetch, require_client_authentication=True)  # type: ignore[arg-type]


def _configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    pems = _pems(files)
    return grpc.ssl_server_certificate_configuration([(pems.key, pems.certificate)], root_certificates=pems.authority)


@cache
def grpc_channel_credentials(files: TlsFiles) -> Reloading[grpc.ChannelCredentials]:
    """Returns the credentials of channels. They are the same for all of a process's channels, which share connections.

    Raises:
        OSError: a file can't be read.
        ValueError: a file is invalid.
    """
    return Reloading(files, _channel_credentials)


def _channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    pems = _pems(files)
    return grpc.ssl_channel_credentials(pems.authority, pems.key, pems.certificate)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Returns the same as `grpc_server_credentials` for servers that use Python's ssl module.

    Raises:
        OSError: a file can't be read, or is invalid.
    """
    contexts = Reloading(files, _context)
    first = contexts.current()

    def use_current(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        """Called at the start of each handshake, even if the peer sends no server name."""
        connection.context = contexts.current()

    first.sni_callback = use_current
    return first


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # no session resumption: every connection presents its certificate
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(files.authority)
    context.load_cert_chain(files.certificate, files.key)
    return context
