"""`parley org issuer`: the issuers whose tokens an organization's users may exchange for Parley's."""

from __future__ import annotations

import os
from typing import Annotated, Final

import typer
from google.protobuf.field_mask_pb2 import FieldMask
from parley.auth.v1 import directory_pb2, user_pb2
from rich.console import Console
from rich.markup import escape

from chassis.rpc.channel import CALL_TIMEOUT_SECONDS, Metadata
from cli.accounts import Directory, Url, run_as_operator
from cli.stack import CommandError

SECRET_VARIABLE: Final = "PARLEY_ISSUER_SECRET"  # noqa: S105  # the variable's name
_CLAIMS: Final = tuple(user_pb2.ClaimNames.DESCRIPTOR.fields_by_name)

issuers = typer.Typer(help="The issuers whose tokens an organization accepts.", no_args_is_help=True)
console = Console(highlight=False)

Organization = Annotated[str, typer.Argument(help="The organization's id.")]


@issuers.command("add")
def add_issuer(
    context: typer.Context,
    organization: Organization,
    issuer: Annotated[str, typer.Option(help="The claim `iss` of the tokens.")],
    audience: Annotated[str, typer.Option(help="The claim `aud` of the tokens.")],
    algorithm: Annotated[str, typer.Option(help="HS256 with a shared secret; RS256, ES256 or EdDSA with a key set.")],
    jwks_url: Annotated[str, typer.Option(help="The URL of the issuer's key set; not with HS256.")] = "",
    claim: Annotated[
        list[str] | None,
        typer.Option(help=f"The claim that holds {', '.join(_CLAIMS)}, as NAME=CLAIM; may be repeated."),
    ] = None,
    url: Url = None,
) -> None:
    """Accept an issuer's tokens, or change how they are verified.

    The shared secret of HS256 is read from PARLEY_ISSUER_SECRET, or prompted for.
    """
    trusted = user_pb2.TrustedIssuer(issuer=issuer, audience=audience, algorithm=algorithm, claims=_claims(claim or []))
    if jwks_url:
        trusted.jwks_url = jwks_url
    elif algorithm == "HS256":
        secret: str = os.environ.get(SECRET_VARIABLE) or typer.prompt("Secret", hide_input=True)
        trusted.shared_secret = secret

    async def call(directory: Directory, metadata: Metadata) -> None:
        others = [item for item in await _trusted(directory, metadata) if item.issuer != issuer]
        await _replace(directory, metadata, [*others, trusted])

    run_as_operator(context.obj, url, organization, call)
    console.print(f"{escape(organization)} accepts tokens of [bold]{escape(issuer)}[/bold].")


@issuers.command("list")
def list_issuers(context: typer.Context, organization: Organization, url: Url = None) -> None:
    """List the issuers whose tokens are accepted."""

    async def call(directory: Directory, metadata: Metadata) -> None:
        for item in await _trusted(directory, metadata):
            key = item.jwks_url or "shared secret"
            console.print(escape(f"{item.issuer}  audience {item.audience}  {item.algorithm}  {key}"))

    run_as_operator(context.obj, url, organization, call)


@issuers.command("remove")
def remove_issuer(
    context: typer.Context,
    organization: Organization,
    issuer: Annotated[str, typer.Option(help="The claim `iss` of the tokens.")],
    url: Url = None,
) -> None:
    """Accept an issuer's tokens no longer; sessions that began with one go on."""

    async def call(directory: Directory, metadata: Metadata) -> None:
        known = await _trusted(directory, metadata)
        others = [item for item in known if item.issuer != issuer]
        if len(others) == len(known):
            raise CommandError(f"{organization} accepts no tokens of {issuer!r}.")
        await _replace(directory, metadata, others)

    run_as_operator(context.obj, url, organization, call)
    console.print(f"{escape(organization)} no longer accepts tokens of {escape(issuer)}.")


def _claims(assignments: list[str]) -> user_pb2.ClaimNames:
    claims = user_pb2.ClaimNames()
    for assignment in assignments:
        name, separator, claim = assignment.partition("=")
        if not separator or name not in _CLAIMS:
            raise CommandError(f"--claim {assignment}: use NAME=CLAIM, with a name of {', '.join(_CLAIMS)}.")
        setattr(claims, name, claim)
    return claims


async def _trusted(directory: Directory, metadata: Metadata) -> list[user_pb2.TrustedIssuer]:
    request = directory_pb2.GetOrganizationRequest()
    response = await directory.GetOrganization(request, metadata=metadata, timeout=CALL_TIMEOUT_SECONDS)
    return list(response.organization.trusted_issuers)


async def _replace(directory: Directory, metadata: Metadata, trusted: list[user_pb2.TrustedIssuer]) -> None:
    request = directory_pb2.UpdateOrganizationRequest(
        organization=user_pb2.Organization(trusted_issuers=trusted), update_mask=FieldMask(paths=["trusted_issuers"])
    )
    await directory.UpdateOrganization(request, metadata=metadata, timeout=CALL_TIMEOUT_SECONDS)
