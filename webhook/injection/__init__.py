"""The pure core: an admission goes in, a decision comes out.

No I/O, no clock, no framework, no logging. Read it in this order: `optin` (which pods are
injected), `annotations` and `settings` (what a pod may ask for), `checks` (the decision), `inject`
(the patch). `inject` calls `socket_plan` for each container and `daemon_plan` for the daemon, which
is in `sidecar` or `node`; `existing` and `restore` are for pods that were injected before.
"""

from webhook.injection.checks import Admission, CheckResult, NotEvaluated, Passed, decide, examine
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
    "NotEvaluated",
    "Outcome",
    "Passed",
    "Problem",
    "Reason",
    "Skipped",
    "decide",
    "examine",
]
