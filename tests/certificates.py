"""Certificates as a cluster mounts them: for each process a folder with tls.crt, tls.key and ca.crt."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chassis.rpc.tls import TlsFiles

LOOPBACK: Final = "127.0.0.1"
_VALID: Final = timedelta(hours=1)


def files_in(folder: Path) -> TlsFiles:
    """Returns the TLS files in a folder."""
    return TlsFiles(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")


class Authority:
    """A certificate authority for tests."""

    def __init__(self, name: str = "a test's authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._draft(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, SHA256())
        )
        self.pem = certificate.public_bytes(Encoding.PEM)

    def issue(self, folder: Path, name: str, *addresses: str, trusts: bytes = b"") -> int:
        """Issues a certificate to a process's folder, replacing an earlier one.

        Args:
            folder: the process's folder.
            name: the process's DNS name, which clients verify.
            addresses: its further names, which are IP addresses.
            trusts: the authority that the process trusts, in PEM; this one by default.

        Returns:
            The certificate's serial number.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name), *(x509.IPAddress(ip_address(address)) for address in addresses)]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._draft(x509.Name([]), key)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, SHA256())
        )
        _publish(
            folder,
            {
                "tls.key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
                "tls.crt": certificate.public_bytes(Encoding.PEM),
                "ca.crt": trusts or self.pem,
            },
        )
        return certificate.serial_number

    def _draft(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - _VALID,
            not_valid_after=now + _VALID,
        )


def _publish(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replaces files atomically as a kubelet does: writes a new folder, and redirects one symbolic link to it."""
    folder.mkdir(parents=True, exist_ok=True)
    current = folder / "..data"
    previous = current.resolve() if current.is_symlink() else None
    state = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for name, content in files.items():
        (state / name).write_bytes(content)
    new_link = folder / "..data_tmp"
    new_link.symlink_to(state.name)
    new_link.replace(current)
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path(current.name, name))
    if previous is not None:
        shutil.rmtree(previous)
