"""A client of the HTTP API, and of nothing else.

```python
from lakeshelf.governance.client import Client

with Client("http://127.0.0.1:8080", token) as api:
    policies = api.project("retail").dataset("shelf_policies")
    session = policies.open_session()
    session.set("SIM-001-00001", "threshold_pct", 25)
    request = session.submit("Milk refills earlier")
```
"""

from lakeshelf.governance.client.changes import Request, Session
from lakeshelf.governance.client.client import Client
from lakeshelf.governance.client.resources import Dataset, Project
from lakeshelf.governance.client.uploads import Upload

__all__ = ["Client", "Dataset", "Project", "Request", "Session", "Upload"]
