"""Users, tokens, projects, members and groups."""

from __future__ import annotations

from datetime import timedelta

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, On, router
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.metadata.tables.projects import Membership, Project
from lakeshelf.governance.services.people import projects, signing, users

routes = router("people")


@routes.get("/me")
def me(context: On, caller: By) -> answers.Me:
    """Who calls, and the projects they are a member of."""
    roles = {
        one.project.id: one.role
        for one in projects.visible(context, caller)
        if one.role is not None
    }
    scopes = sorted(caller.scopes)
    return answers.Me(
        user=caller.user,
        admin=caller.admin,
        scopes=scopes,
        projects=roles,
        can=users.possible(caller),
        csrf=signing.csrf_of(context, caller),
        session=caller.session or None,
    )


@routes.get("/users")
def list_users(context: On, caller: By) -> list[User]:
    """Every user, for admins."""
    return users.all_users(context, caller)


@routes.post("/users", status_code=201)
def add_user(context: On, caller: By, body: shapes.NewUser) -> User:
    """Add a user, as an admin."""
    return users.add(context, caller, body.name, label=body.label, admin=body.admin)


@routes.patch("/users/{user}")
def change_user(context: On, caller: By, user: str, body: shapes.UserChange) -> User:
    """Change a user, as an admin."""
    return users.change(
        context, caller, user, label=body.label, admin=body.admin, enabled=body.enabled
    )


@routes.get("/users/{user}/tokens")
def list_tokens(context: On, caller: By, user: str) -> list[answers.TokenAnswer]:
    """Tokens of a user, for admins and the user."""
    listed = users.tokens(context, caller, user)
    return [answers.TokenAnswer.model_validate(token) for token in listed]


@routes.post("/users/{user}/tokens", status_code=201)
def issue_token(context: On, caller: By, user: str, body: shapes.NewToken) -> answers.IssuedToken:
    """Issue a token, as an admin or for yourself; the secret is told in this answer alone.

    Your own has no scope that the token lacks with which you ask, is good no longer, and is revoked with it.
    """
    token, secret = users.issue(
        context,
        caller,
        user,
        label=body.label,
        scopes=body.scopes,
        length=None if body.days is None else timedelta(days=body.days),
    )
    shown = answers.TokenAnswer.model_validate(token)
    return answers.IssuedToken(token=shown, secret=secret)


@routes.delete("/tokens/{token}")
def revoke_token(context: On, caller: By, token: str) -> answers.TokenAnswer:
    """Take a token back, as an admin or its user."""
    return answers.TokenAnswer.model_validate(users.revoke(context, caller, token))


@routes.get("/projects")
def list_projects(context: On, caller: By) -> list[projects.SeenProject]:
    """Projects of the caller; every project for admins."""
    return projects.visible(context, caller)


@routes.post("/projects", status_code=201)
def create_project(context: On, caller: By, body: shapes.NewProject) -> Project:
    """Create a project, as an admin, who owns it then."""
    return projects.create(context, caller, body.id, title=body.title, description=body.description)


@routes.get("/projects/{project}")
def get_project(context: On, caller: By, project: str) -> projects.SeenProject:
    """A project."""
    return projects.of_id(context, caller, project)


@routes.get("/projects/{project}/members")
def list_members(context: On, caller: By, project: str) -> list[Membership]:
    """Members of a project."""
    return projects.members(context, caller, project)


@routes.put("/projects/{project}/members/{user}")
def set_member(
    context: On, caller: By, project: str, user: str, body: shapes.NewRole
) -> Membership:
    """Give a user a role, as an owner."""
    return projects.set_role(context, caller, project, user, body.role)


@routes.delete("/projects/{project}/members/{user}", status_code=204)
def remove_member(context: On, caller: By, project: str, user: str) -> None:
    """Take a member out, as an owner."""
    projects.remove(context, caller, project, user)


@routes.get("/projects/{project}/groups")
def list_groups(context: On, caller: By, project: str) -> dict[str, list[str]]:
    """Groups and their members."""
    listed = projects.groups(context, caller, project)
    return {group: sorted(members) for group, members in listed.items()}


@routes.put("/projects/{project}/groups/{group}/members/{user}", status_code=204)
def join_group(context: On, caller: By, project: str, group: str, user: str) -> None:
    """Make a member one of a group, as an owner."""
    projects.join(context, caller, project, group, user)


@routes.delete("/projects/{project}/groups/{group}/members/{user}", status_code=204)
def leave_group(context: On, caller: By, project: str, group: str, user: str) -> None:
    """Take a member out of a group, as an owner."""
    projects.leave(context, caller, project, group, user)
