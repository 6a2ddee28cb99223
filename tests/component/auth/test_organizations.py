"""Tests of organizations: who may create and change them, and that their secrets are never returned."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from parley.auth.v1 import auth_pb2, directory_pb2, user_pb2
from pymongo import AsyncMongoClient

from chassis.errors import Category
from chassis.rpc.channel import Metadata
from tests.component.auth.crm import SharedSecretCrm
from tests.component.auth.expectations import refused
from tests.component.auth.test_exchange import claims_of
from tests.component.auth_service import RunningAuth

SECRET = "s" * 32


def issuer(**fields: Any) -> user_pb2.TrustedIssuer:
    good = {
        "issuer": f"https://{secrets.token_hex(8)}.example",
        "audience": "parley",
        "algorithm": "HS256",
        "shared_secret": SECRET,
    }
    return user_pb2.TrustedIssuer(**{name: value for name, value in (good | fields).items() if value is not None})


async def create(auth: RunningAuth, metadata: Metadata, **fields: Any) -> user_pb2.Organization:
    organization = user_pb2.Organization(
        **({"organization_id": f"org-{secrets.token_hex(8)}", "name": "Acme"} | fields)
    )
    response = await auth.directory.CreateOrganization(
        directory_pb2.CreateOrganizationRequest(organization=organization), metadata=metadata, timeout=20
    )
    return response.organization


async def update(
    auth: RunningAuth, metadata: Metadata, mask: list[str] | None = None, **fields: Any
) -> user_pb2.Organization:
    paths = [name for name in fields if name != "organization_id"] if mask is None else mask
    response = await auth.directory.UpdateOrganization(
        directory_pb2.UpdateOrganizationRequest(
            organization=user_pb2.Organization(**fields), update_mask=FieldMask(paths=paths)
        ),
        metadata=metadata,
        timeout=20,
    )
    return response.organization


async def get(auth: RunningAuth, metadata: Metadata, organization_id: str = "") -> user_pb2.Organization:
    response = await auth.directory.GetOrganization(
        directory_pb2.GetOrganizationRequest(organization_id=organization_id), metadata=metadata, timeout=20
    )
    return response.organization


async def test_an_organization_is_made_once(auth: RunningAuth, organization_id: str) -> None:
    service = await auth.service_metadata()
    made = await create(auth, service, organization_id=organization_id, name=" Acme ")
    assert (made.organization_id, made.name) == (organization_id, "Acme")
    assert await get(auth, service, organization_id) == made
    with refused(Category.ALREADY_EXISTS, "ORGANIZATION_EXISTS"):
        await create(auth, service, organization_id=organization_id)


async def test_a_service_of_one_organization_makes_no_other(auth: RunningAuth, organization_id: str) -> None:
    own = await auth.service_metadata(organization_id)
    with refused(Category.PERMISSION_DENIED, "ORGANIZATION_NOT_ALLOWED"):
        await create(auth, own)
    assert await create(auth, own, organization_id=organization_id)


async def test_an_admin_reads_and_changes_the_own_organization_alone(auth: RunningAuth, organization: str) -> None:
    admin = (await auth.sign_in_new(organization, "admin")).metadata
    other = (await create(auth, await auth.service_metadata())).organization_id
    assert (await update(auth, admin, name="New Name")).name == "New Name"
    assert (await get(auth, admin)).name == "New Name"
    assert (await get(auth, admin, organization)).name == "New Name"
    for foreign in (other, "absent"):
        with refused(Category.NOT_FOUND, "ORGANIZATION_NOT_FOUND"):
            await get(auth, admin, foreign)
        with refused(Category.NOT_FOUND, "ORGANIZATION_NOT_FOUND"):
            await update(auth, admin, organization_id=foreign, name="Mine")
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        await create(auth, admin)


@pytest.mark.parametrize("role", ["manager", "lead", "client", "bot"])
async def test_other_roles_do_neither(auth: RunningAuth, organization: str, role: str) -> None:
    metadata = (await auth.sign_in_new(organization, role)).metadata
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        await get(auth, metadata)
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        await update(auth, metadata, name="Mine")


async def test_a_demoted_admin_s_token_does_neither(auth: RunningAuth, organization: str) -> None:
    admin, _ = [await auth.sign_in_new(organization, "admin") for _ in range(2)]
    await auth.update_user(organization, admin.user_id, role=user_pb2.ROLE_SALES)
    with refused(Category.UNAUTHENTICATED, "TOKEN_REVOKED"):
        await get(auth, admin.metadata)
    again = await auth.sign_in(admin.user.email)
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        await get(auth, again.metadata)


async def test_a_service_of_no_organization_names_one(auth: RunningAuth) -> None:
    service = await auth.service_metadata()
    for named in ("", "absent"):
        with refused(Category.NOT_FOUND, "ORGANIZATION_NOT_FOUND"):
            await get(auth, service, named)
        with refused(Category.NOT_FOUND, "ORGANIZATION_NOT_FOUND"):
            await update(auth, service, organization_id=named, name="New")


async def test_the_roles_that_create_groups_are_a_setting(auth: RunningAuth, organization: str) -> None:
    admin = await auth.sign_in_new(organization, "admin")
    lead = await auth.sign_in_new(organization, "lead")

    async def may(metadata: Metadata) -> bool:
        response = await auth.directory.CheckContacts(
            directory_pb2.CheckContactsRequest(), metadata=metadata, timeout=20
        )
        return response.may_create_groups

    assert (await may(admin.metadata), await may(lead.metadata)) == (True, True)
    roles = [user_pb2.ROLE_ADMIN, user_pb2.ROLE_CLIENT, user_pb2.ROLE_ADMIN]
    changed = await update(auth, admin.metadata, group_creator_roles=roles)
    assert list(changed.group_creator_roles) == [user_pb2.ROLE_ADMIN, user_pb2.ROLE_CLIENT]
    assert (await may(admin.metadata), await may(lead.metadata)) == (True, False)
    await update(auth, admin.metadata, group_creator_roles=[])
    assert not await may(admin.metadata)


async def test_an_issuer_belongs_to_one_organization(auth: RunningAuth, organization: str) -> None:
    service = await auth.service_metadata()
    trusted = issuer()
    await create(auth, service, trusted_issuers=[trusted])
    with refused(Category.ALREADY_EXISTS, "ISSUER_TAKEN"):
        await create(auth, service, trusted_issuers=[issuer(issuer=trusted.issuer)])
    with refused(Category.ALREADY_EXISTS, "ISSUER_TAKEN"):
        await update(auth, service, organization_id=organization, trusted_issuers=[trusted])


async def test_a_shared_secret_is_taken_in_and_never_given_out_nor_readable_in_the_database(
    auth: RunningAuth, organization_id: str, mongodb_uri: str
) -> None:
    service = await auth.service_metadata()
    secret = secrets.token_urlsafe(32)
    made = await create(auth, service, organization_id=organization_id, trusted_issuers=[issuer(shared_secret=secret)])
    for answer in (made, await get(auth, service, organization_id)):
        assert answer.trusted_issuers[0].algorithm == "HS256"
        assert answer.trusted_issuers[0].claims.user_id == "sub"
        assert not answer.trusted_issuers[0].shared_secret
    async with AsyncMongoClient[dict[str, object]](mongodb_uri) as client:
        document = await client[auth.settings.mongodb_database]["organizations"].find_one({"_id": organization_id})
    assert document is not None
    assert secret not in str(document)


async def test_an_issuer_sent_back_without_its_secret_keeps_it(auth: RunningAuth, organization_id: str) -> None:
    service, crm = await auth.service_metadata(), SharedSecretCrm()
    made = await create(auth, service, organization_id=organization_id, trusted_issuers=[crm.trusted])
    await update(auth, service, organization_id=organization_id, trusted_issuers=[*made.trusted_issuers, issuer()])
    response = await auth.auth.ExchangeToken(auth_pb2.ExchangeTokenRequest(token=crm.sign(claims_of(crm))), timeout=20)
    assert response.user.organization_id == organization_id
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "organization.trustedIssuers[0].sharedSecret"):
        await update(auth, service, organization_id=organization_id, trusted_issuers=[issuer(shared_secret=None)])


async def test_an_issuer_that_is_taken_off_the_list_is_trusted_no_more(auth: RunningAuth, organization_id: str) -> None:
    service, crm = await auth.service_metadata(), SharedSecretCrm()
    await create(auth, service, organization_id=organization_id, trusted_issuers=[crm.trusted])
    await update(auth, service, organization_id=organization_id, trusted_issuers=[])
    with refused(Category.UNAUTHENTICATED, "UNTRUSTED_ISSUER"):
        await auth.auth.ExchangeToken(auth_pb2.ExchangeTokenRequest(token=crm.sign(claims_of(crm))), timeout=20)


PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----"""


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"organization_id": ""}, "organization.organizationId"),
        ({"organization_id": "a/b"}, "organization.organizationId"),
        ({"organization_id": "x" * 65}, "organization.organizationId"),
        ({"name": ""}, "organization.name"),
        ({"name": "x" * 101}, "organization.name"),
        ({"group_creator_roles": [0]}, "organization.groupCreatorRoles"),
        ({"group_creator_roles": [1, 99]}, "organization.groupCreatorRoles"),
        ({"trusted_issuers": [issuer() for _ in range(21)]}, "organization.trustedIssuers"),
        ({"trusted_issuers": [issuer(issuer="a"), issuer(issuer="a")]}, "organization.trustedIssuers[1].issuer"),
        ({"trusted_issuers": [issuer(issuer="")]}, "organization.trustedIssuers[0].issuer"),
        ({"trusted_issuers": [issuer(audience="")]}, "organization.trustedIssuers[0].audience"),
        ({"trusted_issuers": [issuer(shared_secret=None)]}, "organization.trustedIssuers[0].sharedSecret"),
        ({"trusted_issuers": [issuer(shared_secret="s" * 31)]}, "organization.trustedIssuers[0].sharedSecret"),
        ({"trusted_issuers": [issuer(shared_secret=PUBLIC_KEY)]}, "organization.trustedIssuers[0].sharedSecret"),
        (
            {"trusted_issuers": [issuer(shared_secret=None, jwks_url="https://crm.example/")]},
            "organization.trustedIssuers[0].jwksUrl",
        ),
        (
            {"trusted_issuers": [issuer(algorithm="RS256", shared_secret=None, jwks_url="http://crm.example/")]},
            "organization.trustedIssuers[0].jwksUrl",
        ),
        (
            {"trusted_issuers": [issuer(algorithm="ES256", shared_secret=None)]},
            "organization.trustedIssuers[0].jwksUrl",
        ),
        (
            {"trusted_issuers": [issuer(claims=user_pb2.ClaimNames(role="x" * 65))]},
            "organization.trustedIssuers[0].claims.role",
        ),
    ],
)
async def test_bad_input_is_named(auth: RunningAuth, fields: dict[str, Any], named: str) -> None:
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", named):
        await create(auth, await auth.service_metadata(), **fields)


@pytest.mark.parametrize("algorithm", ["none", "", "HS512", "hs256", "RS512"])
async def test_only_known_algorithms_are_agreed_upon(auth: RunningAuth, algorithm: str) -> None:
    trusted = issuer(algorithm=algorithm, shared_secret=None, jwks_url="https://crm.example/jwks")
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "organization.trustedIssuers[0].algorithm"):
        await create(auth, await auth.service_metadata(), trusted_issuers=[trusted])


@pytest.mark.parametrize("mask", [[], ["organization_id"], ["name", "nonsense"], ["create_time"]])
async def test_a_mask_names_fields_that_can_be_changed(auth: RunningAuth, organization: str, mask: list[str]) -> None:
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "updateMask"):
        await update(auth, await auth.service_metadata(), mask, organization_id=organization, name="New")
