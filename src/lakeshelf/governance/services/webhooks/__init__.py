"""Events that are sent to addresses outside.

docs/design/governance.md#webhooks
"""
