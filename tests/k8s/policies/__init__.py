"""Every property that the manifests must have: a function each, which names what hasn't it."""

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
    pods.runs_as_an_unprivileged_user,
    pods.has_the_runtime_s_seccomp_profile,
    pods.has_no_capabilities,
    pods.cannot_gain_privileges,
    pods.writes_to_volumes_alone,
    pods.shares_nothing_with_its_node,
    pods.cannot_ask_the_cluster_s_api,
    pods.is_told_nothing_that_nobody_wrote,
    pods.has_requests_and_limits,
    pods.runs_a_named_version,
    pods.lives_in_a_restricted_namespace,
    settings.runs_the_program_of_its_name,
    settings.refers_to_what_is_there,
    settings.is_rolled_out_when_its_configuration_changes,
    settings.is_told_what_it_knows,
    settings.is_told_what_it_needs,
    settings.is_told_valid_values,
    settings.is_named_after_its_pod,
    settings.shows_the_name_that_auth_knows,
    settings.has_secrets_by_reference,
    settings.reaches_its_collector,
    settings.agrees_on_the_shards_of_chat_s_log,
    availability.rolls_out_without_a_gap,
    availability.counts_once_envoy_uses_it,
    availability.has_time_to_end,
    availability.serves_until_envoy_knows_that_it_goes,
    availability.sends_again_what_a_gateway_that_goes_did_not_take,
    availability.lets_envoy_finish_what_is_in_flight,
    availability.is_spread_over_machines_and_zones,
    availability.is_spread_over_what_is_left,
    availability.is_evicted_one_at_a_time,
    availability.selects_its_own_pods,
    probes.is_probed,
    probes.is_asked_for_its_health_by_grpc,
    probes.is_killed_for_its_own_faults_alone,
    probes.is_called_when_it_reaches_what_it_needs,
    probes.is_probed_at_ports_that_it_has,
    probes.is_given_time_to_recover,
    probes.is_given_time_to_migrate,
    ports.listens_where_it_says,
    ports.leads_services_to_ports_that_are_there,
    ports.lets_envoy_see_every_pod,
    ports.is_where_envoy_looks_for_it,
    ports.routes_to_every_service,
    ports.runs_envoy_s_file_as_it_is,
    ports.runs_the_envoy_that_is_tested,
    ports.opens_envoy_s_ports,
    ports.calls_others_through_envoy,
    network.denies_what_nobody_allows,
    network.finds_names,
    network.talks_to_whom_it_has_to,
    network.opens_one_door_to_everybody,
    network.shows_metrics_to_the_monitoring_alone,
    network.reaches_its_stores,
    network.asks_issuers_on_the_internet_alone,
    scaling.is_scaled_by_one_autoscaler,
    scaling.leaves_its_replicas_to_the_autoscaler,
    scaling.can_grow,
    scaling.has_shards_for_every_replica_of_chat,
    scaling.gives_envoy_memory_for_its_connections,
    scaling.asks_for_metrics_that_there_are,
    edge.counts_the_proxies_in_front,
    edge.keeps_what_is_inside_inside,
    edge.routes_lead_to_services,
    edge.speaks_http2_to_envoy_for_grpc,
    edge.leaves_sockets_open,
    edge.routes_the_hosts_that_the_gateway_has,
    edge.has_certificates_for_its_hosts,
    edge.answers_for_each_name_that_it_wants_certified,
    edge.lets_the_gateway_s_own_pods_serve,
    edge.ends_plain_http_with_a_redirect,
    operations.is_backed_up_each_night,
    operations.is_restored_when_somebody_says_so,
    operations.knows_where_the_store_is,
    encryption.runs_the_file_made_for_mutual_tls,
    encryption.is_told_where_its_certificates_are,
    encryption.shows_a_certificate_of_its_own,
    encryption.keeps_its_key_to_its_group,
    encryption.renews_certificates_in_time,
    encryption.keeps_the_authority_s_key,
    encryption.looks_for_the_name_of_whom_it_calls,
    encryption.lets_in_who_shows_a_certificate,
    encryption.tells_health_to_who_has_no_certificate,
)
"""What holds for every overlay."""

REPLICATED: Final[tuple[Policy, ...]] = (
    scaling.outlives_the_loss_of_a_pod,
    scaling.scales_the_gateway_on_its_connections,
    scaling.scales_chat_on_the_time_in_its_queue,
    edge.is_watched,
    encryption.encrypts_what_is_said_inside,
)
"""What holds besides where people depend on it: everywhere but on a developer's machine."""

_ON_ONE_MACHINE: Final = "dev"


def policies_of(overlay: str) -> tuple[Policy, ...]:
    """What must hold for an overlay."""
    return EVERYWHERE if overlay == _ON_ONE_MACHINE else EVERYWHERE + REPLICATED
