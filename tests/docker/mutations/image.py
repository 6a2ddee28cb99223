"""What would be wrong with the image."""

from __future__ import annotations

from typing import Final

from tests.docker.mutations.mutation import Mutation, ignore, instruct
from tests.docker.policies import image

_LOCKED: Final = "--only-binary :all: --require-hashes --requirement requirements.lock"

MUTATIONS: Final = {
    "the image runs as root": Mutation(image.runs_as_the_user_that_pods_have, instruct("USER 10001:10001", "USER 0:0")),
    "the image runs as a user by name": Mutation(
        image.runs_as_the_user_that_pods_have, instruct("USER 10001:10001", "USER nobody")
    ),
    "the image runs as another user than pods": Mutation(
        image.runs_as_the_user_that_pods_have, instruct("USER 10001:10001", "USER 10002:10002")
    ),
    "the image says no user": Mutation(image.runs_as_the_user_that_pods_have, instruct("USER 10001:10001\n", "")),
    "the base has no version": Mutation(
        image.starts_from_a_named_version, instruct("python:3.11-slim-bookworm", "python:latest")
    ),
    "stages have different bases": Mutation(
        image.starts_from_a_named_version, instruct("bookworm AS build", "trixie AS build")
    ),
    "packages are not locked": Mutation(image.installs_what_is_locked, instruct(_LOCKED, "--only-binary :all: grpcio")),
    "packages are compiled": Mutation(
        image.installs_what_is_locked, instruct("--only-binary :all: --require", "--require")
    ),
    "Parley brings what it likes": Mutation(image.installs_what_is_locked, instruct("--no-deps ", "")),
    "pip stays": Mutation(image.leaves_what_builds_behind, instruct("--yes setuptools pip", "--yes setuptools")),
    "the base's pip stays": Mutation(image.leaves_what_builds_behind, instruct(" /usr/local/bin/pip*", "")),
    "the base is a newer one, and its pip stays": Mutation(
        image.leaves_what_builds_behind, instruct("python:3.11-", "python:3.12-")
    ),
    "the image installs a compiler": Mutation(
        image.leaves_what_builds_behind,
        instruct("RUN rm -rf", "RUN apt-get update && apt-get install gcc && rm -rf"),
    ),
    "the image has the sources": Mutation(image.leaves_what_builds_behind, instruct("COPY --from=build", "COPY")),
    "nothing checks its health": Mutation(image.says_whether_it_serves, instruct("HEALTHCHECK", "LABEL")),
    "a shell checks its health": Mutation(
        image.says_whether_it_serves,
        instruct('CMD ["python", "-m", "deploy.docker.health"]', "CMD python -m deploy.docker.health"),
    ),
    "its health is checked by what is not there": Mutation(
        image.says_whether_it_serves, instruct("deploy.docker.health", "deploy.docker.wealth")
    ),
    "a shell is the first process": Mutation(
        image.lets_the_argument_choose, instruct('ENTRYPOINT ["python", "-m"]', "ENTRYPOINT python -m")
    ),
    "a process runs by default": Mutation(
        image.lets_the_argument_choose, instruct("STOPSIGNAL", 'CMD ["gateway"]\nSTOPSIGNAL')
    ),
    "modules come from where it runs": Mutation(
        image.imports_from_nowhere_else, instruct("PYTHONSAFEPATH=1", "PYTHONSAFEPATH=")
    ),
    "last words are lost": Mutation(
        image.imports_from_nowhere_else, instruct("PYTHONUNBUFFERED=1", "PYTHONUNBUFFERED=0")
    ),
    "a port is forgotten": Mutation(image.names_the_ports_that_it_has, instruct("50051 8081", "50051")),
    "keys are built in": Mutation(image.is_built_from_nothing_private, ignore("\ndeploy/docker/keys", "")),
    "everything is sent to the build": Mutation(image.is_built_from_nothing_private, ignore("\n*\n", "\n")),
    "a service is not built in": Mutation(image.is_built_from_what_runs, ignore("\n!services", "")),
    "the client is not built in": Mutation(
        image.is_built_from_what_runs, ignore("\n!clients/python/parley_client", "")
    ),
    "the client cannot be installed": Mutation(
        image.is_built_from_what_runs, ignore("\n!clients/python/pyproject.toml", "")
    ),
    "the stubs are not built in": Mutation(image.is_built_from_what_runs, ignore("\n!gen", "")),
}
