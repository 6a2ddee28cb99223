"""Envoy's configuration with mutual TLS to every process, and a listener of its own for what processes call.

An addition to gateway/envoy/envoy.yaml, which stays the one that is written by hand: without TLS it is run as it is.
The public listener is left as it is, too: who opens it to the world ends the world's TLS before it. Envoy takes its
certificates from files that it is told of by two others, since those alone are read again when they are renewed.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final, NamedTuple

CONFIGURATION_FOLDER: Final = PurePath("/etc/envoy")
CERTIFICATES_FOLDER: Final = PurePath("/etc/parley/tls")
INTERNAL_PORT: Final = 8443
CERTIFICATE_FILE: Final = "certificate.yaml"
AUTHORITY_FILE: Final = "authority.yaml"

_TLS: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
_ADMIN: Final = "\nadmin:\n"
_NODE: Final = """
# Who watches files for secrets must have a name.
node: { id: envoy, cluster: parley }
"""
_FILTERS: Final = "    - name: public\n", "        - filters:\n"
_AFTER_PUBLIC: Final = (
    "    # What a kubelet and Prometheus may see of the admin interface, and nothing else of it. Not for the public.\n"
)


class Upstream(NamedTuple):
    """A cluster, the process whose name its certificate must have, and what is spoken to it."""

    cluster: str
    process: str
    protocol: str


UPSTREAMS: Final = (
    *(Upstream(name, name, "h2") for name in ("auth", "chat", "presence", "notify")),
    *(Upstream(f"gateway_{kind}", "gateway", "http/1.1") for kind in ("websocket", "http", "socketio")),
)


class UnexpectedConfigurationError(Exception):
    """Envoy's configuration is not as this addition expects it."""


def with_mutual_tls(configuration: str, folder: PurePath = CONFIGURATION_FOLDER) -> str:
    """Gives Envoy's configuration with mutual TLS.

    Args:
        configuration: the one without.
        folder: where Envoy finds what `secret_files` makes.

    Raises:
        UnexpectedConfigurationError: it is not known where to put that.
    """
    text = _replaced(_with_internal_listener(configuration, folder), _ADMIN, _NODE + _ADMIN)
    for upstream in UPSTREAMS:
        mark = f"      load_assignment:\n        cluster_name: {upstream.cluster}\n"
        text = _replaced(text, mark, _upstream_socket(upstream, folder) + mark)
    return text


def secret_files(folder: PurePath = CERTIFICATES_FOLDER) -> dict[str, str]:
    """What tells Envoy where its certificates are, by the files' names.

    Args:
        folder: what has tls.crt, tls.key and ca.crt, and is watched.
    """
    head = f'resources:\n  - "@type": {_TLS}.Secret\n'
    certificate = f"""\
    name: certificate
    tls_certificate:
      certificate_chain: {{ filename: {folder}/tls.crt }}
      private_key: {{ filename: {folder}/tls.key }}
      watched_directory: {{ path: {folder} }}
"""
    authority = f"""\
    name: authority
    validation_context:
      trusted_ca: {{ filename: {folder}/ca.crt }}
      watched_directory: {{ path: {folder} }}
"""
    return {CERTIFICATE_FILE: head + certificate, AUTHORITY_FILE: head + authority}


def _with_internal_listener(configuration: str, folder: PurePath) -> str:
    """The same filters and routes once more, for who shows a certificate."""
    name, filters = _FILTERS
    before, found, public = configuration.partition(name)
    if not found:
        raise UnexpectedConfigurationError("there is no public listener in the configuration")
    named = before + found + public.replace(filters, "        - filters: &public_filters\n", 1)
    return _replaced(named, _AFTER_PUBLIC, _internal_listener(folder) + _AFTER_PUBLIC)


def _internal_listener(folder: PurePath) -> str:
    return f"""\
    # The same for the processes themselves, which show their certificates, and believe Envoy's alone.
    - name: internal
      address: {{ socket_address: {{ address: 0.0.0.0, port_value: {INTERNAL_PORT} }} }}
      per_connection_buffer_limit_bytes: 1048576
      tcp_backlog_size: 4096
      filter_chains:
        - filters: *public_filters
          transport_socket_connect_timeout: 10s
          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": {_TLS}.DownstreamTlsContext
              require_client_certificate: true
              # Nobody comes back without showing a certificate again.
              disable_stateless_session_resumption: true
              disable_stateful_session_resumption: true
              common_tls_context:
                tls_params: {{ tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }}
                alpn_protocols: [h2]
                tls_certificate_sds_secret_configs:
                  - {_secret("certificate", folder / CERTIFICATE_FILE)}
                validation_context_sds_secret_config: {_secret("authority", folder / AUTHORITY_FILE)}

"""


def _upstream_socket(upstream: Upstream, folder: PurePath) -> str:
    return f"""\
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": {_TLS}.UpstreamTlsContext
          sni: {upstream.process}
          max_session_keys: 0
          common_tls_context:
            tls_params: {{ tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }}
            alpn_protocols: [{upstream.protocol}]
            tls_certificate_sds_secret_configs:
              - {_secret("certificate", folder / CERTIFICATE_FILE)}
            combined_validation_context:
              default_validation_context:
                match_typed_subject_alt_names:
                  - {{ san_type: DNS, matcher: {{ exact: {upstream.process} }} }}
              validation_context_sds_secret_config: {_secret("authority", folder / AUTHORITY_FILE)}
"""


def _secret(name: str, path: PurePath) -> str:
    return f"{{ name: {name}, sds_config: {{ path_config_source: {{ path: {path} }}, resource_api_version: V3 }} }}"


def _replaced(text: str, mark: str, replacement: str) -> str:
    if text.count(mark) != 1:
        raise UnexpectedConfigurationError(f"{mark.strip()!r} stands {text.count(mark)} times in the configuration")
    return text.replace(mark, replacement)
