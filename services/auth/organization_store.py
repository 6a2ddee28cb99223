"""Stores organizations and the issuers that they trust."""

from __future__ import annotations

from dataclasses import asdict

from chassis.errors import AlreadyExistsError
from services.auth.domain import Algorithm, ClaimNames, Organization, OrganizationChanges, Role, TrustedIssuer
from services.auth.sealing import Sealer
from services.auth.store import (
    WITHOUT_REQUESTS,
    Database,
    Document,
    DuplicateKeyError,
    RequestPerformedError,
    find_by_request,
    insert_once,
    key_pattern,
    reaching,
    request_entry,
    set_once,
    without_request,
)


class OrganizationStore:
    """Organizations, with sealed shared secrets of their issuers."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._collection = database["organizations"]
        self._sealer = sealer

    @reaching
    async def insert(self, organization: Organization, request: bytes | None = None) -> None:
        """Adds an organization.

        Args:
            organization: the organization.
            request: the digest of the request; see `find_request`.

        Raises:
            AlreadyExistsError: ORGANIZATION_EXISTS, ISSUER_TAKEN.
            RequestPerformedError: another document has the record of the request.
        """
        organization_id = organization.organization_id
        document = {
            "_id": organization_id,
            "name": organization.name,
            "trusted_issuers": [self._write(organization_id, issuer) for issuer in organization.trusted_issuers],
            "group_creator_roles": [role.value for role in organization.group_creator_roles],
            "create_time": organization.create_time,
            **request_entry(request, organization.create_time),
        }
        try:
            await insert_once(self._collection, document, request)
        except DuplicateKeyError as error:
            if "_id" in key_pattern(error):
                raise AlreadyExistsError("ORGANIZATION_EXISTS", "an organization with this id exists") from error
            raise _collision(error) from error

    @reaching
    async def find_request(self, request: bytes) -> Organization | None:
        """Returns the organization that a request has created or changed in the last 24 hours, as of now."""
        document = await find_by_request(self._collection, request)
        return self._read(document) if document else None

    @reaching
    async def get(self, organization_id: str) -> Organization | None:
        """Returns an organization."""
        document = await self._collection.find_one({"_id": organization_id}, WITHOUT_REQUESTS)
        return self._read(document) if document else None

    @reaching
    async def trusting(self, issuer: str) -> Organization | None:
        """Returns the organization that trusts an issuer; there is at most one."""
        document = await self._collection.find_one({"trusted_issuers.issuer": issuer}, WITHOUT_REQUESTS)
        return self._read(document) if document else None

    @reaching
    async def update(
        self, organization_id: str, changes: OrganizationChanges, request: bytes | None = None
    ) -> Organization | None:
        """Changes an organization, and returns it; None if it does not exist, or has the record of the request.

        Raises:
            AlreadyExistsError: ISSUER_TAKEN.
            RequestPerformedError: another document has the record of the request.
        """
        fields: Document = {}
        if changes.name is not None:
            fields["name"] = changes.name
        if changes.trusted_issuers is not None:
            fields["trusted_issuers"] = [self._write(organization_id, issuer) for issuer in changes.trusted_issuers]
        if changes.group_creator_roles is not None:
            fields["group_creator_roles"] = [role.value for role in changes.group_creator_roles]
        try:
            document = await self._collection.find_one_and_update(
                {"_id": organization_id, **without_request(request)}, set_once(request, fields), return_document=True
            )
        except DuplicateKeyError as error:
            raise _collision(error) from error
        return self._read(document) if document else None

    @reaching
    async def reseal(self) -> None:
        """Reseals secrets that were sealed under a previous key-encryption key. Raises UnsealError."""
        async for document in self._collection.find({"trusted_issuers.0": {"$exists": True}}, {"trusted_issuers": 1}):
            for issuer in document["trusted_issuers"]:
                name, sealed = issuer["issuer"], issuer["sealed_secret"]
                renewed = self._sealer.renew(sealed, _secret_context(document["_id"], name))
                if renewed is not None:
                    same = {"$elemMatch": {"issuer": name, "sealed_secret": sealed}}  # unless it has changed since
                    await self._collection.update_one(
                        {"_id": document["_id"], "trusted_issuers": same},
                        {"$set": {"trusted_issuers.$.sealed_secret": renewed}},
                    )

    def _write(self, organization_id: str, issuer: TrustedIssuer) -> Document:
        context = _secret_context(organization_id, issuer.issuer)
        return {
            "issuer": issuer.issuer,
            "audience": issuer.audience,
            "algorithm": issuer.algorithm.value,
            "jwks_url": issuer.jwks_url,
            "sealed_secret": self._sealer.seal(issuer.shared_secret, context),
            "claims": asdict(issuer.claims),
        }

    def _read(self, document: Document) -> Organization:
        organization_id = document["_id"]
        return Organization(
            organization_id=organization_id,
            name=document["name"],
            trusted_issuers=tuple(
                TrustedIssuer(
                    issuer=issuer["issuer"],
                    audience=issuer["audience"],
                    algorithm=Algorithm(issuer["algorithm"]),
                    shared_secret=self._sealer.open(
                        issuer["sealed_secret"], _secret_context(organization_id, issuer["issuer"])
                    ),
                    jwks_url=issuer["jwks_url"],
                    claims=ClaimNames(**issuer["claims"]),
                )
                for issuer in document["trusted_issuers"]
            ),
            group_creator_roles=tuple(Role(name) for name in document["group_creator_roles"]),
            create_time=document["create_time"],
        )


def _secret_context(organization_id: str, issuer: str) -> str:
    return f"issuer-secret/{organization_id}/{issuer}"


def _collision(error: DuplicateKeyError) -> Exception:
    if "requests.id" in key_pattern(error):
        return RequestPerformedError()
    return AlreadyExistsError("ISSUER_TAKEN", "an organization trusts this issuer already")
