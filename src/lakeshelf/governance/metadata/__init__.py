"""What is known of people, datasets and change requests, in a database.

```python
with Metadata.open(settings.governance_place) as metadata:
    with metadata.transaction() as tx:  # all of it, or nothing
        request = tx.requests.advance(seen, at=now, status="approved")
        tx.record("cr.approved", user="ben", at=now, project="retail", dataset="wh_policies", request=41)
    with metadata.reading() as tx:  # one state of the database
        tx.events.after(812, projects=["retail"])
```
"""

from lakeshelf.governance.metadata.opening import Metadata, Transaction

__all__ = ["Metadata", "Transaction"]
