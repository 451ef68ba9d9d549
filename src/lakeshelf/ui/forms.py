"""Forms: each is a call of the API, which works without scripts, and is done once however often it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from lakeshelf.ui import definitions, rendering
from lakeshelf.ui.asking import ACCEPTED, Answer, Api, ApiRefusal, path
from lakeshelf.ui.page import Form, Kind
from lakeshelf.ui.pages import FORMS

routes = APIRouter(include_in_schema=False)
MOST_FIELDS = 1_000
BY_NAME: Mapping[str, Form] = {form.name: form for form in FORMS}


def own(back: str) -> str:
    """A place of ours to go back to; `/` where somebody made up one of others."""
    is_own = back.startswith("/") and back[1:2] not in ("/", "\\")
    return back if is_own and back.isprintable() else "/"


@dataclass(frozen=True)
class Said:
    """What is said after a form was taken, and whether all of it was done."""

    words: str
    is_all: bool


def said(name: str, answers: Iterable[Any] = ()) -> Said | None:
    """What is said after a form was taken; None: there is no such form.

    Args:
        name: Its name, and behind a dot what came of it.
        answers: What it was answered, where that came later than its page.
    """
    first, _, outcome = name.partition(".")
    form = BY_NAME.get(first)
    if form is None:
        return None
    outcome = next(filter(None, (_outcome(form, answer) for answer in answers)), outcome)
    words = form.otherwise.get(outcome)
    return Said(words or form.done, words is None)


def _outcome(form: Form, answer: Any) -> str:
    return form.outcome(answer) if form.outcome else ""


@routes.post("/forms/{name}")
async def send(request: Request, name: str) -> Response:
    """Send what a form holds to the API, and go back to its page."""
    if name not in BY_NAME:
        raise HTTPException(404)
    form = BY_NAME[name]
    async with request.form(max_fields=MOST_FIELDS, max_files=0) as sent:
        try:
            answer = await _call(Api(request), form, sent)
        except FieldError as error:
            known = {"fields": {error.name: str(error)}}
            answer = Answer(refusal=ApiRefusal(422, "request_invalid", str(error), known, ""))
        back = _next(form, sent, answer)
        faults = _faults(form, sent, answer.refusal) if answer.refusal else {}
    return _answered(request, form, answer, back, faults)


def _next(form: Form, sent: FormData, answer: Answer) -> str:
    """Where to go once the form was sent; its page says what was done."""
    back = own(str(sent.get("back", "/")))
    if answer.refusal is not None and answer.refusal.status == ACCEPTED:
        return _with(back, done=form.name, awaited=answer.refusal.details["job"]["id"])
    if answer.refusal is not None or form.answer:
        return back
    if form.to is not None:
        return own(form.to({name: str(text) for name, text in sent.items()}, answer.data))
    return _with(back, done=".".join(filter(None, (form.name, _outcome(form, answer.data)))))


def _with(place: str, **more: str) -> str:
    """A place with parameters of these values alone, and the others that it has."""
    parts = urlsplit(place)
    kept = [one for one in parse_qsl(parts.query, keep_blank_values=True) if one[0] not in more]
    return f"{parts.path}?{urlencode([*kept, *more.items()])}"


async def _call(api: Api, form: Form, sent: FormData) -> Answer:
    names = {name: str(sent.get(name, "")) for name in _names(form.path)}
    read = {name: _read(kind, sent, name) for name, kind in form.fields.items()}
    body = {name: value for name, value in read.items() if value is not None}
    content = {form.within: [body]} if form.within else body if form.fields else None
    csrf, once = str(sent.get("csrf", "")), str(sent.get("key", "")) or None
    return await api.change(form.method, path(form.path, names), content, csrf, once)


class FieldError(ValueError):
    """What was typed into a field, named `name`, cannot be what it holds."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name


def _read(kind: Kind, sent: FormData, name: str) -> Any:
    try:
        return READ[kind](sent, name)
    except (ValueError, RecursionError) as error:
        raise FieldError(name, str(error)) from error


def _names(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def _text(sent: FormData, name: str) -> str | None:
    return str(sent.get(name, "")) or None


def _whole(sent: FormData, name: str) -> int | None:
    text = str(sent.get(name, "")).strip()
    if not text:
        return None
    digits = text.removeprefix("-").removeprefix("+")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise ValueError(f"{name.replace('_', ' ')} is a whole number, not {text[:40]!r}")
    return int(text)


def _many(sent: FormData, name: str) -> list[str]:
    return [str(value) for value in sent.getlist(name)]


def _flag(sent: FormData, name: str) -> bool:
    return name in sent


def _words(sent: FormData, name: str) -> list[str]:
    return str(sent.get(name, "")).replace(",", " ").split()


def _listed(sent: FormData, name: str) -> list[str]:
    return [part.strip() for part in str(sent.get(name, "")).split(",") if part.strip()]


def _named(sent: FormData, name: str) -> dict[str, str]:
    pairs = ((key.partition("."), str(text).strip()) for key, text in sent.multi_items())
    return {rest: text for (first, dot, rest), text in pairs if first == name and dot and text}


def _definition(sent: FormData, name: str) -> Any:
    return _proposal(sent, name).definition


def _proposal(sent: FormData, name: str) -> definitions.DefinitionProposal:
    text = str(sent.get(name, "")).strip()
    pairs = ((key.partition("."), str(typed)) for key, typed in sent.multi_items())
    typed = {rest: text for (first, dot, rest), text in pairs if first == name and dot}
    made = _parsed(name, text) if text else None
    return (
        definitions.proposed(made or {}, typed) if typed else definitions.DefinitionProposal(made)
    )


def _objects(sent: FormData, name: str) -> list[Any]:
    """Radio buttons need a name a choice, so names that begin with this one count too."""
    texts = [str(text) for key, text in sent.multi_items() if key.partition(".")[0] == name]
    return [_parsed(name, text) for text in texts if text]


def _parsed(name: str, text: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)  # NaN, and what is beyond a double, is none
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name.replace('_', ' ')} is no JSON: {str(error)[:80]}") from error
    return value


READ: Mapping[Kind, Callable[[FormData, str], Any]] = {
    "text": _text,
    "whole": _whole,
    "many": _many,
    "flag": _flag,
    "words": _words,
    "listed": _listed,
    "named": _named,
    "definition": _definition,
    "objects": _objects,
}


def _answered(
    request: Request, form: Form, answer: Answer, back: str, faults: Mapping[str, str]
) -> Response:
    is_under_way = answer.refusal is not None and answer.refusal.status == ACCEPTED
    if is_under_way:  # the page of the form tells how it ends
        answer = Answer()
    if "application/json" in request.headers.get("accept", ""):
        return _for_scripts(form, answer, back, faults)
    if answer.refusal is None and form.answer and not is_under_way:
        values = {"answer": answer.data, "back": back, "title": form.done}
        return HTMLResponse(rendering.render(form.answer, values))
    if answer.refusal is None:
        return RedirectResponse(back, 303)
    values = {"refusal": answer.refusal, "back": back, "title": "This was not done"}
    values["faults"] = faults
    return HTMLResponse(rendering.render("refused.html", values), answer.refusal.status)


def _for_scripts(form: Form, answer: Answer, back: str, faults: Mapping[str, str]) -> Response:
    if answer.refusal is None:
        return JSONResponse({"done": form.done, "answer": answer.data, "back": back})
    refusal = answer.refusal
    content = {"code": refusal.code, "message": refusal.message, "request_id": refusal.request_id}
    return JSONResponse({"refused": content | {"fields": faults}}, refusal.status)


def _faults(form: Form, sent: FormData, refusal: ApiRefusal) -> dict[str, str]:
    """Field of the form → what is wrong with it, as far as the API says so."""
    problems = [one for one in refusal.details.get("problems", ()) if isinstance(one, Mapping)]
    faults = {str(one["where"]).removeprefix("body."): str(one["problem"]) for one in problems}
    names = refusal.details.get("fields", {})
    return faults | {_field(form, sent, name): text for name, text in names.items()}


def _field(form: Form, sent: FormData, name: str) -> str:
    """The field that holds what the API names; places in a definition are fields of the form that asks for it."""
    of = next((one for one, kind in form.fields.items() if kind == "definition"), "")
    if name in form.fields or not of:
        return name
    return f"{of}.{_proposal(sent, of).on_form(name)}"
