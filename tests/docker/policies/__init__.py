"""Every property that the image and the stack must have: a function each, which names what hasn't it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.docker.plan import Plan
from tests.docker.policies import containers, image, stack

Policy = Callable[[Plan], Iterator[str]]

POLICIES: Final[tuple[Policy, ...]] = (
    image.runs_as_the_user_that_pods_have,
    image.starts_from_a_named_version,
    image.installs_what_is_locked,
    image.leaves_what_builds_behind,
    image.says_whether_it_serves,
    image.lets_the_argument_choose,
    image.imports_from_nowhere_else,
    image.names_the_ports_that_it_has,
    image.is_built_from_nothing_private,
    image.is_built_from_what_runs,
    containers.runs_as_an_unprivileged_user,
    containers.writes_to_volumes_alone,
    containers.cannot_gain_privileges,
    containers.takes_no_more_than_its_share,
    containers.says_whether_it_serves,
    containers.comes_back_when_it_dies,
    containers.has_time_to_end,
    containers.starts_when_its_stores_take_writes,
    containers.stops_before_what_it_calls,
    containers.keeps_what_stores_hold,
    containers.runs_what_the_cluster_runs,
    containers.is_built_from_the_repository,
    stack.runs_every_process,
    stack.refers_to_what_is_there,
    stack.is_told_what_it_knows,
    stack.is_told_what_it_needs,
    stack.is_told_valid_values,
    stack.has_secrets_from_its_own_file,
    stack.shows_the_name_that_auth_knows,
    stack.publishes_envoy_s_port_alone,
    stack.reaches_stores_from_where_data_is_kept,
    stack.reaches_the_outside_where_it_must,
    stack.calls_others_through_envoy,
    stack.is_where_envoy_looks_for_it,
    stack.runs_envoy_s_file_as_it_is,
    stack.finds_its_stores,
    stack.can_be_administered,
)
