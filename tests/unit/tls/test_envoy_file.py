"""The mutual TLS edit only adds to Envoy's configuration."""

from __future__ import annotations

from difflib import unified_diff

import pytest
import yaml

from deploy.envoy_edit import CONFIG, UnexpectedConfigurationError
from deploy.tls.envoy import UPSTREAMS, with_mutual_tls

_PLAIN = CONFIG.read_text()
_CHANGED = {"        - filters:": "        - filters: &public_filters"}


def test_nothing_is_taken_away() -> None:
    difference = unified_diff(_PLAIN.splitlines(), with_mutual_tls(_PLAIN).splitlines(), lineterm="", n=0)
    removed = [line.removeprefix("-") for line in difference if line.startswith("-") and not line.startswith("---")]
    assert removed == list(_CHANGED)


def test_every_cluster_of_processes_is_encrypted_and_no_other() -> None:
    clusters = yaml.safe_load(with_mutual_tls(_PLAIN))["static_resources"]["clusters"]
    encrypted = {cluster["name"] for cluster in clusters if "transport_socket" in cluster}
    assert encrypted == {cluster["name"] for cluster in clusters if cluster["type"] == "STRICT_DNS"}
    assert encrypted == {upstream.cluster for upstream in UPSTREAMS}


def test_the_internal_listener_has_the_public_ones_routes() -> None:
    listeners = yaml.safe_load(with_mutual_tls(_PLAIN))["static_resources"]["listeners"]
    chains = {listener["name"]: listener["filter_chains"][0] for listener in listeners}
    assert chains["internal"]["filters"] == chains["public"]["filters"]
    assert "transport_socket" not in chains["public"]


@pytest.mark.parametrize(
    "part", ["name: public", "cluster_name: chat\n", "\nadmin:\n", "# The parts of the admin interface"]
)
def test_a_configuration_of_another_form_is_refused(part: str) -> None:
    with pytest.raises(UnexpectedConfigurationError):
        with_mutual_tls(_PLAIN.replace(part, "another"))
