"""Errors of model versions, each with the file, field or version, and the way out.

ModelError (a LakeshelfError: one line, exit code 1)
├── VersionDamaged   files of a version that are missing, changed, or no model of ours
├── TrialRefused     a model that died, hung, or forecast what cannot be
├── ActRefused       what a version's status does not allow, or an unknown version
├── NotExplained     a level whose forecast, or its features, are not in the lake as they were
└── RegistryDamaged  rows of `ops/models` that contradict each other
"""

from __future__ import annotations

from lakeshelf.errors import LakeshelfError

WAY = "remove the folder and train with `lakeshelf models train`"
"""What to do about files of a version that are damaged or gone."""


class ModelError(LakeshelfError):
    """A model version that cannot be used as was asked."""


class VersionDamaged(ModelError):  # noqa: N818 - says what is damaged
    """Files of a version that are missing, changed, or no model of ours."""


class TrialRefused(ModelError):  # noqa: N818 - says what was refused
    """A model that died, hung, or forecast what cannot be."""


class ActRefused(ModelError):  # noqa: N818 - says what was refused
    """What a version's status does not allow, or an unknown version."""


class NotExplained(ModelError):  # noqa: N818 - says what was refused
    """A level whose forecast, or its features, are not in the lake as they were."""


class RegistryDamaged(ModelError):  # noqa: N818 - says what is damaged
    """Rows of `ops/models` that contradict each other."""
