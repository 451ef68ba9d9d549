"""What a page is: its place, what it asks, what it shows it with. Declared as data; routes and tests are derived."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lakeshelf.ui.asking import Answer, Api

Kind = Literal["text", "whole", "many", "flag", "words", "listed", "named", "definition", "objects"]
"""What a field of a form holds: a text, a whole number, every value of its name, or whether it is ticked; words apart
by commas or blanks, or by commas alone; what is not empty of names that begin with its name and a dot, by the rest
of the name; a definition as JSON, with what names that begin with its name and a dot change of it; a JSON object in
each value of its name and of names that begin with it and a dot."""


@dataclass(frozen=True)
class Ask:
    """What a page asks the API.

    Attributes:
        path: Below `/api/v1`, with the names of the page's own address, such as `/shelves/{shelf}`.
        filters: Parameters that it takes from the page's query, so that each filter stands in the address.
        fixed: Parameters that are always sent.
    """

    path: str
    filters: tuple[str, ...] = ()
    fixed: Mapping[str, str | Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Where:
    """Where a page is read.

    Attributes:
        names: Names in its path.
        query: Parameters of its address.
        many: Parameters of its address with each of their values.
    """

    names: Mapping[str, str]
    query: Mapping[str, str]
    many: Callable[[str], list[str]]


Prepare = Callable[[Api, Where, dict[str, Answer]], Awaitable[Mapping[str, Any]]]
"""What a page shows beside the answers: it may ask more, and draw pictures of what it knows."""


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        path: Such as `/shelves/{shelf}`.
        title: What it is called, with names of its path, such as `Shelf {shelf}`.
        template: In the folder of templates.
        asks: Name in the template → what is asked.
        command: The command that tells the same; with names of its path.
        options: Parameter of its address → option by which the command chooses the same; empty: an argument,
            in the place of a last word of the command in capitals.
        beyond: What names of parameters begin with that choose something that the command cannot.
        menu: Its entry in the menu; None: it has none.
        section: Path of the page in whose part of the menu it is.
        prepare: What it shows beside the answers.
        also: Paths below `/api/v1` that `prepare` asks for.
        is_open: Whether it is for those who are not signed in, too.
        numbers: Parameters of its address that are whole numbers, each at most once.
    """

    path: str
    title: str
    template: str
    asks: Mapping[str, Ask] = field(default_factory=dict)
    command: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    beyond: tuple[str, ...] = ()
    menu: str | None = None
    section: str = ""
    prepare: Prepare | None = None
    also: tuple[str, ...] = ()
    is_open: bool = False
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """A form: a call of the API that changes something.

    Attributes:
        name: It is sent to `/forms/{name}`.
        method: Of the call.
        path: Of the call, below `/api/v1`; its names are fields of the form.
        fields: Field of the body → what it holds; an empty one is left out.
        done: What is said once the API took it.
        outcome: Which of `otherwise` came of it, by the answer; empty: all was done.
        otherwise: Name → what is said then.
        answer: Template that shows the answer, which is told once; empty: the page of the form is shown again.
        to: Where to go then, made from what was sent and what was answered; None: back to the page of the form.
        within: The body is the only one of the list that has this name in the call; empty: it is the body.
    """

    name: str
    method: str
    path: str
    fields: Mapping[str, Kind] = field(default_factory=dict)
    done: str = "Done."
    outcome: Callable[[Any], str] | None = None
    otherwise: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""
    to: Callable[[Mapping[str, str], Mapping[str, Any]], str] | None = None
    within: str = ""
