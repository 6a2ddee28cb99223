"""Generates a cluster's secrets: `python -m deploy.k8s.keys | kubectl --namespace NAMESPACE create -f -`.

Each process gets a Secret with only what it needs. Generate them once: `kubectl create` fails for existing ones, as it
should, since without its key-encryption key auth loses the signing keys in its database.

The stores' addresses come from the environment, so that their passwords are on no command line; "{service}" in them is
replaced by the service's name, for stores with a user per service.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from deploy.local.services import OUTSIDE_CALLERS, SERVICES, Needs

MONGODB_URI: Final = "PARLEY_MONGODB_URI"
REDIS_URL: Final = "PARLEY_REDIS_URL"
_KEY_BYTES: Final = 32
_USAGE_ERROR: Final = 2


def manifests(mongodb_uri: str, redis_url: str) -> dict[str, Any]:
    """Returns newly generated Secrets as one List.

    Args:
        mongodb_uri: MongoDB's URI; "{service}" in it is replaced by the service's name.
        redis_url: the URL of Redis or Valkey, likewise.
    """
    service_secrets = {name: secrets.token_urlsafe(_KEY_BYTES) for name in (*_names(), *OUTSIDE_CALLERS)}
    items = [_secret(f"{name}-credentials", {"PARLEY_SERVICE_SECRET": service_secrets[name]}) for name in _callers()]
    items += [_secret(f"{name}-credentials", {"secret": service_secrets[name]}) for name in OUTSIDE_CALLERS]
    items.append(_secret("auth-credentials", _auth_credentials(service_secrets)))
    items += [
        _secret(
            f"{name}-stores",
            {"mongodb-uri": mongodb_uri.replace("{service}", name), "redis-url": redis_url.replace("{service}", name)},
        )
        for name in _names()
        if Needs.STORES in _needs(name)
    ]
    items.append(_secret("operator-stores", {"mongodb-uri": mongodb_uri.replace("{service}", "operator")}))
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _names() -> Iterable[str]:
    return [service.name for service in SERVICES]


def _callers() -> Iterable[str]:
    return [name for name in _names() if Needs.ALL_CREDENTIALS not in _needs(name)]


def _needs(name: str) -> Needs:
    return next(service.needs for service in SERVICES if service.name == name)


def _auth_credentials(service_secrets: Mapping[str, str]) -> dict[str, str]:
    scopes = {service.name: service.scopes for service in SERVICES if service.scopes} | OUTSIDE_CALLERS
    credentials = {
        name: {"secret": service_secrets[name], "scopes": list(caller_scopes), "organizations": ["*"]}
        for name, caller_scopes in scopes.items()
    }
    key = base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).rstrip(b"=").decode()
    return {"PARLEY_KEY_ENCRYPTION_KEY": key, "PARLEY_SERVICE_CREDENTIALS": json.dumps(credentials)}


def _secret(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "parley"}},
        "type": "Opaque",
        "stringData": dict(data),
    }


def main() -> int:
    """Prints the Secrets unless stdout is a terminal; returns the exit status."""
    missing = [name for name in (MONGODB_URI, REDIS_URL) if not os.environ.get(name)]
    if missing:
        sys.stderr.write(f"{' and '.join(missing)} must be set: the stores' addresses\n")
        return _USAGE_ERROR
    if sys.stdout.isatty():
        sys.stderr.write(
            "not printing secrets to a terminal: pipe them to `kubectl --namespace NAMESPACE create -f -`\n"
        )
        return _USAGE_ERROR
    json.dump(manifests(os.environ[MONGODB_URI], os.environ[REDIS_URL]), sys.stdout, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
