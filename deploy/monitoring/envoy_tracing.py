"""Adds spans to Envoy's configuration. Optional, because an Envoy that exports no spans must not be a step of a trace.

Envoy continues traces that others start, and starts none. It trusts `traceparent` from any client, so users can make it
record spans; a collector may drop those without a parent from Parley.
"""

from __future__ import annotations

from typing import Final

from deploy.envoy_edit import replace_once

_CONNECTIONS: Final = "                codec_type: AUTO\n"
_CLUSTER: Final = "    - name: admin\n"
_SAMPLERS: Final = "type.googleapis.com/envoy.extensions.tracers.opentelemetry.samplers.v3"
_TRACING: Final = f"""\
                tracing:
                  provider:
                    name: envoy.tracers.opentelemetry
                    typed_config:
                      "@type": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig
                      service_name: envoy
                      grpc_service: {{ envoy_grpc: {{ cluster_name: traces }}, timeout: 1s }}
                      sampler:
                        name: envoy.tracers.opentelemetry.samplers.parent_based
                        typed_config:
                          "@type": {_SAMPLERS}.ParentBasedSamplerConfig
                          wrapped_sampler:
                            name: envoy.tracers.opentelemetry.samplers.trace_id_ratio_based
                            typed_config:
                              "@type": {_SAMPLERS}.TraceIdRatioBasedSamplerConfig
                              sampling_percentage: {{ numerator: 0 }}
"""
_COLLECTOR: Final = """\
    - name: traces
      type: STRICT_DNS
      connect_timeout: 1s
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: {{ http2_protocol_options: {{}} }}
      load_assignment:
        cluster_name: traces
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address:
                    socket_address:
                      address: {host}
                      port_value: {port}

"""


def with_tracing(configuration: str, host: str, port: int) -> str:
    """Returns Envoy's configuration with spans sent to a collector by OTLP over gRPC.

    Raises:
        UnexpectedConfigurationError: the configuration lacks an expected place.
    """
    public = replace_once(configuration, _CONNECTIONS, _CONNECTIONS + _TRACING)
    return replace_once(public, _CLUSTER, _COLLECTOR.format(host=host, port=port) + _CLUSTER)
