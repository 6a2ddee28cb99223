"""Generic policies for the Kubernetes manifests and the Dockerfile, checked by checkov.

checkov (https://www.checkov.io) holds the field's common rules. Parley's own rules, about how its manifests, settings
and processes fit together, are in tests/k8s/policies and tests/docker/policies. These of them are gone, because
checkov covers them:

    policy                                   checkov
    containers run as no root user           CKV_K8S_6, 23, 40 (40: user ids from 10000; the stores of `dev` are exempt)
    seccomp profile of the runtime           CKV_K8S_29, 30, 31
    no capabilities                          CKV_K8S_24, 25, 28, 36, 37, 39
    no privilege escalation, not privileged  CKV_K8S_2, 5, 16, 20
    read-only root file system               CKV_K8S_22
    no host network, PID, IPC, port          CKV_K8S_1, 3, 4, 17, 18, 19, 26
    no API token in pods                     CKV_K8S_38
    CPU and memory requests and limits       CKV_K8S_10, 11, 12, 13 (a container with limits but no `requests` passes:
                                             Kubernetes then requests its limits)
    image tags that name a version           CKV_K8S_14, CKV_DOCKER_7
    liveness and readiness probes            CKV_K8S_8, 9
    an image with a user and a health check  CKV_DOCKER_2, 3, 8

checkov does not read Compose files, so the rules for containers in compose.yaml stay in tests/docker/policies.

It runs offline, in a virtual environment of its own (setup.sh), because its dependencies conflict with Parley's. The
skipped checks and their reasons are in checkov.yaml, and in annotations of the resource that they are skipped for.
"""
