"""The pure core: an admission goes in, a decision comes out.

No I/O, no clock, no framework, no logging. Read it in this order: `optin` (which pods are meant),
`annotations` and `config` (what a pod and the operator may say), `gates` (what can stop an
injection), `sidecar` and `node` (what a pod gains), `inject` (how that becomes a patch).
"""

from webhook.injection.checks import Admission, CheckResult, decide, examine
from webhook.injection.decisions import Audit, Decision, Denied, Injected, Problem, Skipped
from webhook.injection.optin import Endpoint
from webhook.injection.reasons import Outcome, Reason

__all__ = [
    "Admission",
    "Audit",
    "CheckResult",
    "Decision",
    "Denied",
    "Endpoint",
    "Injected",
    "Outcome",
    "Problem",
    "Reason",
    "Skipped",
    "decide",
    "examine",
]
