"""What every command about a change request takes, declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from lakeshelf.cli.console.output import AsJson
from lakeshelf.cli.governed.connecting import PROJECT, As, InProject, project_of

if TYPE_CHECKING:
    from lakeshelf.governance.client import Request

Own = ParamSpec("Own")
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Number of the change request.")]


@dataclass(frozen=True)
class RequestCommand:
    """The change request that a command is about, and how it is answered."""

    number: Number
    user: As = None
    project: InProject = PROJECT
    as_json: AsJson = False

    @contextmanager
    def request(self) -> Iterator[Request]:
        """The change request, for the user."""
        with project_of(self.user, self.project) as its_project:
            yield its_project.request(self.number)


def about_one(command: Callable[Concatenate[RequestCommand, Own], None]) -> Callable[..., None]:
    """A command about one change request, with what `RequestCommand` takes in the place of its first parameter."""
    shared = inspect.signature(RequestCommand, eval_str=True).parameters
    number, *options = shared.values()
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    before = [one for one in own if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    after = [one for one in own if one.kind is inspect.Parameter.KEYWORD_ONLY]
    keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in options]

    @wraps(command)
    def called(*args: Any, **named: Any) -> None:
        asked = RequestCommand(
            **{field.name: named.pop(field.name) for field in fields(RequestCommand)}
        )
        command(asked, *args, **named)

    signature = inspect.Signature([number, *before, *after, *keywords])
    called.__signature__ = signature  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
    return called
