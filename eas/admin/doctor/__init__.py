"""What `eas doctor` looks at: a configuration against the live servers, step by step, as findings in plain words.

What it writes to the servers has a name of its own (`eas-doctor-...`) and is taken away again. No mail is sent.
"""

from .examination import Patient, examine
from .findings import Finding, Verdict

__all__ = ["Finding", "Patient", "Verdict", "examine"]
