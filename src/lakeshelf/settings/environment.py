"""Which variables of the environment are settings: those of Kubernetes' services are not, misspelt ones are refused."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from lakeshelf.errors import ConfigurationError

PREFIX = "LAKESHELF_"
NEAR = 0.85
"""So alike are a setting and what somebody meant by it (`difflib`, without the prefix)."""


def of_services(variables: Mapping[str, str | None]) -> set[str]:
    """Variables that Kubernetes gives the containers of a namespace for each service there.

    A service `lakeshelf-api` leads to `LAKESHELF_API_PORT=tcp://…`, which is also the name of a setting.
    https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables

    A port that somebody set is a number, and stays a setting beside such a service.

    Args:
        variables: Names, in any case, and values.
    """
    suffix = "_SERVICE_HOST"
    services = [name[: -len(suffix)] for name in variables if name.upper().endswith(suffix)]
    return {
        name
        for name, value in variables.items()
        for service in services
        if name.startswith(service)
        and name[len(service) :].upper().startswith(("_SERVICE_", "_PORT"))
        and not (name[len(service) :].upper() == "_PORT" and "://" not in (value or ""))
    }


def require_spelt(variables: Mapping[str, str], settings: Collection[str]) -> None:
    """Refuse a variable that is nearly a setting: it would be passed over in silence.

    Args:
        variables: Those of the environment.
        settings: Names of all settings.

    Raises:
        ConfigurationError: One that is nearly a setting, with the one that is near.
    """
    known = {name.upper() for name in settings}
    for variable in sorted(variables.keys() - of_services(variables)):
        name = variable.upper().removeprefix(PREFIX)
        if not variable.upper().startswith(PREFIX) or name in known:
            continue
        if near := difflib.get_close_matches(name, known, n=1, cutoff=NEAR):
            raise ConfigurationError(
                f"variable {variable} is no setting", hint=f"did you mean {PREFIX}{near[0]}?"
            )
