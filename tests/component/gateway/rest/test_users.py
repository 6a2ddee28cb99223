"""The directory over HTTP."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from gateway.rest.users import ACCOUNT
from tests.component.auth_service import PASSWORD
from tests.component.gateway.rest.harness import Harness, answer_of, problem_of
from tests.rest_shapes import check_shape


async def test_everyone_can_read_themselves(house: Harness, organization: str) -> None:
    lea = await house.join(organization, "lead", name="Lea", teams=["east"])
    answer = await lea.get("/api/users/me")
    check_shape(answer, "GetUserResponse")
    assert answer == {"user": {"userId": lea.id, "name": "Lea", "role": "lead", "teams": ["east"]}}


async def test_a_user_is_read_by_id_whatever_it_is_made_of(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    user = await house.auth.create_user(organization, "sales", user_id="crm:7@old.site")
    answer = await admin.get(f"/api/users/{quote(user.user_id, safe='')}")
    assert answer["user"]["userId"] == user.user_id


async def test_users_are_listed_and_filtered(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin", name="Ada")
    east = await house.join(organization, "sales", name="Eve", teams=["east"])
    west = await house.join(organization, "sales", name="Wes", teams=["west"])

    async def ids(**query: str) -> set[str]:
        answer = await admin.get("/api/users", **query)
        check_shape(answer, "ListUsersResponse")
        return {user["userId"] for user in answer["users"]}

    assert {admin.id, east.id, west.id} <= await ids()
    assert await ids(role="sales") == {east.id, west.id}
    assert await ids(team="west") == {west.id}
    assert await ids(query="ev") == {east.id}
    assert await ids(query="", role="sales", team="east", pageToken="") == {east.id}


async def test_a_listing_comes_in_pages(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    for _ in range(4):
        await house.auth.create_user(organization, "employee")
    first = await admin.get("/api/users", role="employee", pageSize=3)
    rest = await admin.get("/api/users", role="employee", pageSize=3, pageToken=first["nextPageToken"])
    assert (len(first["users"]), len(rest["users"]), rest["nextPageToken"]) == (3, 1, "")


async def test_a_page_token_of_another_listing_is_refused(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    for _ in range(2):
        await house.auth.create_user(organization, "employee")
    token = (await admin.get("/api/users", role="employee", pageSize=1))["nextPageToken"]
    for query in ({"pageToken": token}, {"role": "employee", "pageToken": token[:-1]}, {"pageToken": "made-up"}):
        response = await admin.request("GET", "/api/users", params=query)
        assert problem_of(response) == (400, "INVALID_ARGUMENT", "INVALID_PAGE_TOKEN")


async def test_a_client_does_not_find_another_client(house: Harness, organization: str) -> None:
    client, other = await house.join(organization, "client"), await house.join(organization, "client")
    response = await client.request("GET", f"/api/users/{other.id}")
    assert problem_of(response) == (404, "NOT_FOUND", "USER_NOT_FOUND")


async def test_another_organizations_user_is_not_found_like_an_absent_one(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    await house.auth.create_organization(f"{organization}-2")
    stranger = await house.join(f"{organization}-2", "admin")
    theirs = await admin.request("GET", f"/api/users/{stranger.id}")
    absent = await admin.request("GET", "/api/users/nobody")
    assert problem_of(theirs) == (404, "NOT_FOUND", "USER_NOT_FOUND")
    assert theirs.content == absent.content


async def test_an_admin_makes_a_user_who_can_sign_in(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    email = f"{organization}@new.example"
    body = {
        "userId": "crm-9",
        "name": "Nia",
        "role": "sales",
        "email": email,
        "teams": ["east"],
        "password": PASSWORD,
    }
    response = await admin.request("POST", "/api/users", json=body)
    assert response.status_code == 201
    assert response.headers["location"] == "/api/users/crm-9"
    check_shape(response.json(), ACCOUNT)
    assert response.json()["user"] == {
        "userId": "crm-9",
        "name": "Nia",
        "role": "sales",
        "teams": ["east"],
        "email": email,
        "disabled": False,
    }
    session = answer_of(await house.http.post("/api/auth/login", json={"email": email, "password": PASSWORD}))
    assert session["user"]["userId"] == "crm-9"


async def test_a_user_without_an_id_gets_one(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    made = await admin.post("/api/users", {"name": "Nia", "role": "bot"})
    assert made["user"]["userId"]


async def test_a_taken_id_is_a_conflict(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    response = await admin.request("POST", "/api/users", json={"userId": admin.id, "name": "Nia", "role": "bot"})
    assert problem_of(response) == (409, "ALREADY_EXISTS", "USER_EXISTS")


@pytest.mark.parametrize("role", ["manager", "sales", "client"])
async def test_only_admins_make_users(house: Harness, organization: str, role: str) -> None:
    person = await house.join(organization, role)
    response = await person.request("POST", "/api/users", json={"name": "Nia", "role": "bot"})
    assert problem_of(response) == (403, "PERMISSION_DENIED", "NOT_ALLOWED")


async def test_a_change_touches_only_what_it_names(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    sam = await house.join(organization, "sales", name="Sam", teams=["east"])
    answer = answer_of(await admin.request("PATCH", f"/api/users/{sam.id}", json={"role": "lead", "teams": ["a", "b"]}))
    check_shape(answer, ACCOUNT)
    assert answer["user"] | {"email": ""} == {
        "userId": sam.id,
        "name": "Sam",
        "role": "lead",
        "teams": ["a", "b"],
        "disabled": False,
        "email": "",
    }
    cleared = answer_of(await admin.request("PATCH", f"/api/users/{sam.id}", json={"teams": []}))
    assert (cleared["user"]["teams"], cleared["user"]["role"]) == ([], "lead")


async def test_an_admin_disables_and_enables_a_user(house: Harness, organization: str) -> None:
    admin, sam = await house.join(organization, "admin"), await house.join(organization, "sales")
    for disabled in (True, False):
        answer = answer_of(await admin.request("PATCH", f"/api/users/{sam.id}", json={"disabled": disabled}))
        assert answer["user"]["disabled"] is disabled


async def test_a_password_is_refused_where_users_are_changed(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    body = {"name": "New", "password": "a long password"}
    response = await admin.request("PATCH", f"/api/users/{admin.id}", json=body)
    assert problem_of(response) == (400, "INVALID_ARGUMENT", "INVALID_FIELDS")
    assert "setPassword" in response.json()["error"]["fields"]["password"]


async def test_a_user_whose_id_ends_like_a_custom_method_is_read(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    await admin.post("/api/users", {"userId": "x:deactivate", "name": "Nia", "role": "bot"})
    assert (await admin.get("/api/users/x:deactivate"))["user"]["userId"] == "x:deactivate"
    await admin.post("/api/users/x:deactivate:deactivate", {})


async def test_an_admin_sets_a_password(house: Harness, organization: str) -> None:
    admin, sam = await house.join(organization, "admin"), await house.join(organization, "sales")
    email = f"{sam.id}@test.example"
    await admin.request("PATCH", f"/api/users/{sam.id}", json={"email": email})
    await admin.post(f"/api/users/{sam.id}:setPassword", {"password": PASSWORD})
    session = answer_of(await house.http.post("/api/auth/login", json={"email": email, "password": PASSWORD}))
    assert session["user"]["userId"] == sam.id


async def test_a_change_of_nothing_is_refused(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    for body in ({}, {"name": None}, {"unknown": 1}):
        response = await admin.request("PATCH", f"/api/users/{admin.id}", json=body)
        assert problem_of(response) == (400, "INVALID_ARGUMENT", "INVALID_FIELDS")


async def test_nobody_but_an_admin_changes_roles(house: Harness, organization: str) -> None:
    sam = await house.join(organization, "sales")
    response = await sam.request("PATCH", f"/api/users/{sam.id}", json={"role": "admin"})
    assert response.status_code == 403


async def test_an_admin_imports_users(house: Harness, organization: str) -> None:
    admin = await house.join(organization, "admin")
    body = {"users": [{"userId": "ann", "name": "Ann", "role": "sales", "teams": ["east"]}, {"userId": "b/d"}]}
    answer = await admin.post("/api/users:import", body)
    check_shape(answer, "BatchUpsertUsersResponse")
    good, bad = answer["results"]
    assert good == {"userId": "ann", "outcome": "created"}
    assert (bad["userId"], bad["outcome"], bad["reason"]) == ("b/d", "failed", "INVALID_FIELDS")
    assert {error["field"] for error in bad["errors"]} == {"userId", "name", "role"}
    sales = await house.join(organization, "sales")
    response = await sales.request("POST", "/api/users:import", json=body)
    assert problem_of(response) == (403, "PERMISSION_DENIED", "NOT_ALLOWED")
