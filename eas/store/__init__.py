"""Durable state on SQL: devices, policies, what each device holds of each collection, effects under way.

`SqlStateStore` is the `StateStore` of eas.engine.ports, and what an admin does to devices and policies. The statements
stand by subject in devices, policies, states and intents, as functions of a connection; `tables` has the tables.
"""

from eas.engine.policybook import DEFAULT_POLICY, Assignee, Assignment

from .activity import ActivityStore
from .device_passwords import DevicePasswords
from .sql import SqlStateStore, Tidied
from .tidying import Keep

__all__ = [
    "DEFAULT_POLICY", "ActivityStore", "Assignee", "Assignment", "DevicePasswords", "Keep", "SqlStateStore", "Tidied",
]
