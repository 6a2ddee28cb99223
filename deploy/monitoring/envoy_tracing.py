"""Envoy's configuration with spans of its own: an addition, as an Envoy that exports nothing must not stand in traces.

Envoy goes on with traces that others began, and begins none. It believes whoever sends `traceparent`, so a user can
have spans of Envoy sampled; a collector that minds drops those without a parent of ours.
"""

from __future__ import annotations

from typing import Final

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


class UnexpectedConfigurationError(Exception):
    """Envoy's configuration is not as this addition expects it."""


def with_tracing(configuration: str, host: str, port: int) -> str:
    """Gives Envoy's configuration with traces that go to a collector, by OTLP over gRPC.

    Raises:
        UnexpectedConfigurationError: it is not known where to put that.
    """
    public = _inserted(configuration, _TRACING, after=_CONNECTIONS)
    return _inserted(public, _COLLECTOR.format(host=host, port=port), before=_CLUSTER)


def _inserted(text: str, addition: str, *, after: str = "", before: str = "") -> str:
    mark = after or before
    if text.count(mark) != 1:
        raise UnexpectedConfigurationError(f"{mark.strip()!r} stands {text.count(mark)} times in the configuration")
    return text.replace(mark, f"{after}{addition}{before}")
