"""Mutual TLS between processes: what each shows, whom it believes, and how it notices that certificates were renewed.

Certificates are renewed on disk while processes run. Whoever shakes hands, on either side, does so with what is in the
files by then; connections that are open stay open. Nothing is restarted for it.
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

_LOOK_SECONDS: Final = 1.0
_Stamp = tuple[tuple[int, int, int], ...]

_log = logger("tls")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where a process's certificate, its key, and the certificates of the authority that it believes are, in PEM."""

    certificate: Path
    key: Path
    authority: Path


class Renewed(Generic[T]):
    """Something that is made of the files, and anew when they have changed; any thread may ask for it.

    While what is in the files can't be used, such as a key that came before its certificate, the last one stays.

    Args:
        files: what it is made of. They are looked at once a second at most.
        make: makes it. Raises OSError or ValueError when it can't.
    """

    def __init__(self, files: TlsFiles, make: Callable[[TlsFiles], T]) -> None:
        self._files = files
        self._make = make
        self._lock = threading.Lock()
        self._stamp = _stamp(files)
        self._value = make(files)
        self._look_at = time.monotonic() + _LOOK_SECONDS

    def current(self) -> T:
        """What is made of the files as they are now."""
        with self._lock:
            if time.monotonic() >= self._look_at:
                self._look()
                self._look_at = time.monotonic() + _LOOK_SECONDS
            return self._value

    def _look(self) -> None:
        try:
            stamp = _stamp(self._files)
            if stamp == self._stamp:
                return
            value = self._make(self._files)
            if _stamp(self._files) != stamp:  # in the midst of being replaced: the next look sees them whole
                return
        except (OSError, ValueError) as error:
            _log.warning("certificate_unusable", error=type(error).__name__)
            return
        self._stamp, self._value = stamp, value
        _log.info("certificate_renewed")


def seconds_left(files: TlsFiles) -> float:
    """How long a process's certificate is still valid, as it is on disk; 0 when it can't be read."""
    try:
        ends = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError):
        return 0.0
    return ends.timestamp() - time.time()


def _stamp(files: TlsFiles) -> _Stamp:
    states = (path.stat() for path in (files.certificate, files.key, files.authority))
    return tuple((state.st_ino, state.st_mtime_ns, state.st_size) for state in states)


class _Pems(NamedTuple):
    key: bytes
    certificate: bytes
    authority: bytes


def _pems(files: TlsFiles) -> _Pems:
    pems = _Pems(files.key.read_bytes(), files.certificate.read_bytes(), files.authority.read_bytes())
    shown = x509.load_pem_x509_certificates(pems.certificate)[0].public_key()
    if load_pem_private_key(pems.key, None).public_key() != shown:
        raise ValueError(f"{files.key} is not the key of {files.certificate}")
    x509.load_pem_x509_certificates(pems.authority)
    return pems


def grpc_server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """What a gRPC server shows; it takes calls from those alone who show a certificate of the authority.

    Raises:
        OSError: a file can't be read.
        ValueError: a file is not what it should be.
    """
    renewed = Renewed(files, _configuration)
    used = renewed.current()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        """Asked before each handshake, in a thread of gRPC's; None leaves everything as it is."""
        nonlocal used
        now = renewed.current()
        if now is used:
            return None
        used = now
        return now

    # Its stub leaves out that None is an answer.
    return grpc.dynamic_ssl_server_credentials(used, fetch, require_client_authentication=True)  # type: ignore[arg-type]


def _configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    pems = _pems(files)
    return grpc.ssl_server_certificate_configuration([(pems.key, pems.certificate)], root_certificates=pems.authority)


@cache
def grpc_channel_credentials(files: TlsFiles) -> Renewed[grpc.ChannelCredentials]:
    """What channels show, and believe. All of a process's are given the same: so they share connections.

    Raises:
        OSError: a file can't be read.
        ValueError: a file is not what it should be.
    """
    return Renewed(files, _channel_credentials)


def _channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    pems = _pems(files)
    return grpc.ssl_channel_credentials(pems.authority, pems.key, pems.certificate)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """The same as `grpc_server_credentials` for servers that go by Python's own TLS.

    Raises:
        OSError: a file can't be read, or is not what it should be.
    """
    renewed = Renewed(files, _context)
    first = renewed.current()

    def greet(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        """Called at the begin of each handshake, whether or not the peer names whom it wants."""
        connection.context = renewed.current()

    first.sni_callback = greet
    return first


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # nobody comes back without showing a certificate again
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(files.authority)
    context.load_cert_chain(files.certificate, files.key)
    return context
