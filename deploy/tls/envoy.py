"""Adds mutual TLS with every process, and an internal listener for their calls, to Envoy's configuration.

The base is gateway/envoy/envoy.yaml, which is written by hand and runs unchanged without TLS. The public listener stays
unchanged too: TLS from outside is terminated in front of it. Envoy reads its certificates through two SDS files, as it
reloads renewed certificates only by SDS.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final, NamedTuple

from deploy.envoy_edit import UnexpectedConfigurationError, replace_once

CONFIGURATION_FOLDER: Final = PurePath("/etc/envoy")
CERTIFICATES_FOLDER: Final = PurePath("/etc/parley/tls")
INTERNAL_PORT: Final = 8443
CERTIFICATE_FILE: Final = "certificate.yaml"
AUTHORITY_FILE: Final = "authority.yaml"

_TLS: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
_ADMIN: Final = "\nadmin:\n"
_NODE: Final = """
# SDS from files requires a node id.
node: { id: envoy, cluster: parley }
"""
_FILTERS: Final = "    - name: public\n", "        - filters:\n"
_AFTER_PUBLIC: Final = "    # The parts of the admin interface for kubelets and Prometheus only. Not public.\n"


class Upstream(NamedTuple):
    """A cluster, the process name in its certificate, and its ALPN protocol."""

    cluster: str
    process: str
    protocol: str


UPSTREAMS: Final = (
    *(Upstream(name, name, "h2") for name in ("auth", "chat", "presence", "notify")),
    *(Upstream(f"gateway_{kind}", "gateway", "http/1.1") for kind in ("websocket", "http", "socketio")),
)


def with_mutual_tls(configuration: str, folder: PurePath = CONFIGURATION_FOLDER) -> str:
    """Returns Envoy's configuration with mutual TLS.

    Args:
        configuration: the configuration without TLS.
        folder: the folder of the files from `secret_files`.

    Raises:
        UnexpectedConfigurationError: the configuration lacks an expected place.
    """
    text = replace_once(_with_internal_listener(configuration, folder), _ADMIN, _NODE + _ADMIN)
    for upstream in UPSTREAMS:
        anchor = f"      load_assignment:\n        cluster_name: {upstream.cluster}\n"
        text = replace_once(text, anchor, _upstream_socket(upstream, folder) + anchor)
    return text


def secret_files(folder: PurePath = CERTIFICATES_FOLDER) -> dict[str, str]:
    """Returns the SDS files that name Envoy's certificates, by file name.

    Args:
        folder: the watched folder with tls.crt, tls.key and ca.crt.
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
    """Adds a listener with the public one's filters and routes that requires client certificates."""
    name, filters = _FILTERS
    before, separator, public = configuration.partition(name)
    if not separator:
        raise UnexpectedConfigurationError("Envoy's configuration has no public listener")
    anchored = before + separator + public.replace(filters, "        - filters: &public_filters\n", 1)
    return replace_once(anchored, _AFTER_PUBLIC, _internal_listener(folder) + _AFTER_PUBLIC)


def _internal_listener(folder: PurePath) -> str:
    return f"""\
    # The public routes for Parley's own processes, by mutual TLS.
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
              # No session resumption: every connection must present its certificate.
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
