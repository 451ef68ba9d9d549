"""What can be done with files: the order of steps. Each function opens what it needs of a lake."""

from lakeshelf.ingestion.services.discovery import known_datasets
from lakeshelf.ingestion.services.rebuilding import Rebuild, rebuild
from lakeshelf.ingestion.services.retrying import force, retried, retry
from lakeshelf.ingestion.services.scanning import Scan, scan, watch
from lakeshelf.ingestion.services.uploading import upload

__all__ = [
    "Rebuild",
    "Scan",
    "force",
    "known_datasets",
    "rebuild",
    "retried",
    "retry",
    "scan",
    "upload",
    "watch",
]
