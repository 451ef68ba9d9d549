"""Files that become change requests, and datasets that become files."""

from lakeshelf.governance.services.imports.exporting import export
from lakeshelf.governance.services.imports.inferring import inferred
from lakeshelf.governance.services.imports.loading import LoadedUpload, load, refusals
from lakeshelf.governance.services.imports.uploading import MOST_BYTES, receive

__all__ = ["MOST_BYTES", "LoadedUpload", "export", "inferred", "load", "receive", "refusals"]
