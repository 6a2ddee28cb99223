"""Parley's own policies for its manifests. Each is a function that yields the violations.

Generic policies, such as those for privileges and limits, are checkov's (tests/checkov).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.k8s.manifests import Manifests
from tests.k8s.policies import (
    availability,
    edge,
    encryption,
    network,
    operations,
    pods,
    ports,
    probes,
    scaling,
    settings,
)

Policy = Callable[[Manifests], Iterator[str]]

EVERYWHERE: Final[tuple[Policy, ...]] = (
    pods.declares_an_unprivileged_user_and_group,
    pods.mounts_no_host_path,
    pods.has_its_own_service_account,
    pods.has_no_service_links,
    pods.lives_in_a_restricted_namespace,
    settings.runs_the_program_of_its_name,
    settings.refers_to_existing_sources,
    settings.is_rolled_out_when_its_configuration_changes,
    settings.has_only_known_settings,
    settings.has_all_required_settings,
    settings.has_valid_settings,
    settings.is_named_after_its_pod,
    settings.presents_its_own_service_name,
    settings.has_secrets_by_reference,
    settings.reaches_only_its_collector,
    settings.agrees_on_the_shards_of_chat_s_log,
    availability.rolls_out_without_a_gap,
    availability.becomes_available_once_envoy_uses_it,
    availability.ejects_no_pod_for_its_answers,
    availability.leaves_lost_nodes_soon,
    availability.has_time_to_shut_down,
    availability.serves_until_envoy_notices_its_shutdown,
    availability.retries_what_a_stopping_gateway_did_not_accept,
    availability.drains_envoy_before_it_stops,
    availability.is_spread_over_machines_and_zones,
    availability.is_spread_over_schedulable_nodes,
    availability.is_evicted_one_at_a_time,
    availability.selects_its_own_pods,
    probes.has_a_startup_probe,
    probes.is_probed_by_grpc_health,
    probes.is_restarted_only_for_its_own_faults,
    probes.is_ready_only_with_its_upstreams,
    probes.is_probed_at_existing_ports,
    probes.is_given_time_to_recover,
    probes.is_given_time_to_migrate,
    ports.listens_on_its_declared_ports,
    ports.targets_existing_ports,
    ports.has_headless_services,
    ports.matches_envoy_s_clusters,
    ports.routes_to_every_service,
    ports.runs_envoy_s_file_unchanged,
    ports.runs_the_tested_envoy,
    ports.declares_envoy_s_ports,
    ports.calls_services_through_envoy,
    network.denies_by_default,
    network.reaches_dns,
    network.allows_exactly_the_needed_connections,
    network.exposes_only_envoy_s_public_port,
    network.exposes_metrics_only_to_monitoring,
    network.reaches_exactly_its_stores,
    network.reaches_only_issuers_on_the_internet,
    scaling.is_scaled_by_one_autoscaler,
    scaling.leaves_replicas_to_the_autoscaler,
    scaling.can_grow,
    scaling.has_shards_for_every_replica,
    scaling.has_memory_for_envoy_s_connections,
    scaling.sheds_load_before_envoy_s_memory_ends,
    scaling.queries_existing_metrics,
    edge.trusts_exactly_the_proxies_in_front,
    edge.exposes_no_service_outside,
    edge.routes_lead_to_envoy,
    edge.speaks_http2_to_envoy_for_grpc,
    edge.sets_no_timeout_on_sockets,
    edge.routes_only_the_gateway_s_hosts,
    edge.has_certificates_for_its_hosts,
    edge.answers_acme_challenges_for_every_name,
    edge.allows_the_gateway_s_own_pods,
    edge.redirects_plain_http,
    operations.is_backed_up_each_night,
    operations.is_restored_only_on_demand,
    operations.reads_the_store_s_uri_from_a_secret,
    encryption.runs_the_generated_file_for_mutual_tls,
    encryption.has_certificate_settings,
    encryption.mounts_its_own_certificate,
    encryption.restricts_key_files_to_its_group,
    encryption.renews_certificates_in_time,
    encryption.keeps_the_authority_s_key,
    encryption.verifies_upstream_names,
    encryption.requires_client_certificates,
    encryption.serves_health_without_certificates,
)
"""Policies for all overlays."""

REPLICATED: Final[tuple[Policy, ...]] = (
    scaling.survives_the_loss_of_a_pod,
    scaling.scales_the_gateway_by_connections,
    scaling.scales_chat_by_queueing_time,
    edge.is_scraped,
    encryption.encrypts_internal_traffic,
)
"""Further policies for all overlays except the one for a developer's machine."""

_ON_ONE_MACHINE: Final = "dev"


def policies_of(overlay: str) -> tuple[Policy, ...]:
    """Returns the policies for an overlay."""
    return EVERYWHERE if overlay == _ON_ONE_MACHINE else EVERYWHERE + REPLICATED
