"""Mutations of the image."""

from __future__ import annotations

from typing import Final

from tests.docker.mutations.mutation import Mutation, ignore, instruct
from tests.docker.policies import image

_LOCKED: Final = "--only-binary :all: --require-hashes --requirement requirements.lock"

MUTATIONS: Final = {
    "the image runs as root": Mutation(image.runs_as_the_pods_user, instruct("USER 10001:10001", "USER 0:0")),
    "the image runs as a user by name": Mutation(
        image.runs_as_the_pods_user, instruct("USER 10001:10001", "USER nobody")
    ),
    "the image runs as another user than pods": Mutation(
        image.runs_as_the_pods_user, instruct("USER 10001:10001", "USER 10002:10002")
    ),
    "the image sets no user": Mutation(image.runs_as_the_pods_user, instruct("USER 10001:10001\n", "")),
    "stages have different bases": Mutation(image.has_one_base_image, instruct("bookworm AS build", "trixie AS build")),
    "packages are not locked": Mutation(
        image.installs_only_locked_packages, instruct(_LOCKED, "--only-binary :all: grpcio")
    ),
    "packages are compiled": Mutation(
        image.installs_only_locked_packages, instruct("--only-binary :all: --require", "--require")
    ),
    "Parley installs unlocked dependencies": Mutation(image.installs_only_locked_packages, instruct("--no-deps ", "")),
    "pip stays": Mutation(image.contains_no_build_tools, instruct("--yes setuptools pip", "--yes setuptools")),
    "the base's pip stays": Mutation(image.contains_no_build_tools, instruct(" /usr/local/bin/pip*", "")),
    "a newer base's pip stays": Mutation(image.contains_no_build_tools, instruct("python:3.11-", "python:3.12-")),
    "the image installs a compiler": Mutation(
        image.contains_no_build_tools,
        instruct("RUN rm -rf", "RUN apt-get update && apt-get install gcc && rm -rf"),
    ),
    "the image has the sources": Mutation(image.contains_no_build_tools, instruct("COPY --from=build", "COPY")),
    "no health check": Mutation(image.has_a_health_check, instruct("HEALTHCHECK", "LABEL")),
    "a shell checks its health": Mutation(
        image.has_a_health_check,
        instruct('CMD ["python", "-m", "deploy.docker.health"]', "CMD python -m deploy.docker.health"),
    ),
    "the health check is missing": Mutation(
        image.has_a_health_check, instruct("deploy.docker.health", "deploy.docker.wealth")
    ),
    "a shell is the first process": Mutation(
        image.runs_the_module_in_its_argument, instruct('ENTRYPOINT ["python", "-m"]', "ENTRYPOINT python -m")
    ),
    "a process runs by default": Mutation(
        image.runs_the_module_in_its_argument, instruct("STOPSIGNAL", 'CMD ["gateway"]\nSTOPSIGNAL')
    ),
    "modules come from the working directory": Mutation(
        image.imports_only_installed_packages, instruct("PYTHONSAFEPATH=1", "PYTHONSAFEPATH=")
    ),
    "output is buffered": Mutation(
        image.imports_only_installed_packages, instruct("PYTHONUNBUFFERED=1", "PYTHONUNBUFFERED=0")
    ),
    "a port is missing": Mutation(image.exposes_its_ports, instruct("50051 8081", "50051")),
    "keys are built in": Mutation(image.is_built_without_private_files, ignore("\ndeploy/docker/keys", "")),
    "everything is sent to the build": Mutation(image.is_built_without_private_files, ignore("\n*\n", "\n")),
    "a service is not built in": Mutation(image.is_built_with_every_program, ignore("\n!services", "")),
    "the client is not built in": Mutation(
        image.is_built_with_every_program, ignore("\n!clients/python/parley_client", "")
    ),
    "the client cannot be installed": Mutation(
        image.is_built_with_every_program, ignore("\n!clients/python/pyproject.toml", "")
    ),
    "the stubs are not built in": Mutation(image.is_built_with_every_program, ignore("\n!gen", "")),
}
