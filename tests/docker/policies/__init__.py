"""The policies for the image and the stack. Each is a function that yields the violations.

checkov (tests/checkov) adds generic policies for the Dockerfile; it does not read Compose files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.docker.plan import Plan
from tests.docker.policies import containers, image, stack

Policy = Callable[[Plan], Iterator[str]]

POLICIES: Final[tuple[Policy, ...]] = (
    image.runs_as_the_pods_user,
    image.has_one_base_image,
    image.installs_only_locked_packages,
    image.contains_no_build_tools,
    image.has_a_health_check,
    image.runs_the_module_in_its_argument,
    image.imports_only_installed_packages,
    image.exposes_its_ports,
    image.is_built_without_private_files,
    image.is_built_with_every_program,
    containers.runs_as_an_unprivileged_user,
    containers.writes_only_to_volumes,
    containers.cannot_gain_privileges,
    containers.has_resource_limits,
    containers.has_a_health_check,
    containers.restarts_after_a_failure,
    containers.has_time_to_shut_down,
    containers.waits_for_its_stores,
    containers.stops_before_what_it_calls,
    containers.stores_data_in_volumes,
    containers.runs_the_cluster_s_images,
    containers.is_built_from_the_repository,
    stack.runs_every_process,
    stack.refers_to_existing_sources,
    stack.has_only_known_settings,
    stack.has_all_required_settings,
    stack.has_valid_settings,
    stack.has_secrets_from_its_own_file,
    stack.presents_its_own_service_name,
    stack.publishes_only_envoy_s_port,
    stack.isolates_the_stores,
    stack.isolates_calls_from_outside,
    stack.calls_services_through_envoy,
    stack.matches_envoy_s_clusters,
    stack.runs_envoy_s_file_unchanged,
    stack.has_working_store_addresses,
    stack.can_be_administered,
)
