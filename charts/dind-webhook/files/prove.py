"""Proves the webhook from inside the cluster; `helm test` runs it in a pod.

Asks the API server, with dry run, for a pod that opts in. The answer shows whether the API server
called the webhook, trusted its certificate, and the pod got its daemon. Standard library only.
"""
# ruff: noqa: INP001, S310, T201  (a script of its own, which speaks to one https address)

import argparse
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

POD = {
    "metadata": {"generateName": "dind-webhook-test-", "annotations": {"dind.io/inject": "true"}},
    "spec": {"containers": [{"name": "job", "image": "docker:cli"}]},
}
STATUS = "dind.io/status"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def ask(namespace: str, account: str) -> dict[str, Any]:
    """Returns the pod as it would be stored; an HTTPError has the API server's message."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    host = f"[{host}]" if ":" in host else host
    token = Path(account, "token").read_text(encoding="utf-8").strip()
    request = urllib.request.Request(
        f"https://{host}:{port}/api/v1/namespaces/{namespace}/pods?dryRun=All",
        data=json.dumps(POD).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    trusted = ssl.create_default_context(cafile=f"{account}/ca.crt")
    with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:
        pod: dict[str, Any] = json.load(answer)
    return pod


def problem(namespace: str, account: str) -> str:
    """Says what is wrong, in one line; empty if the pod got its daemon."""
    try:
        pod = ask(namespace, account)
    except urllib.error.HTTPError as error:
        message = json.loads(error.read() or b"{}").get("message", error.reason)
        return f"the API server rejected the pod: {message}"
    except OSError as error:
        return f"cannot reach the API server: {error}"
    status = pod["metadata"].get("annotations", {}).get(STATUS)
    if status is None:
        return (
            "the API server admitted the pod unchanged: it does not call the webhook for namespace "
            f"{namespace}, or it cannot reach the webhook and failurePolicy is Ignore"
        )
    print(f"helm test: the pod got its daemon: {status}")
    return ""


def main() -> int:
    """Asks until the pod gets its daemon: API servers load a new configuration after a delay."""
    parser = argparse.ArgumentParser(description="Asks the API server for a pod that opts in.")
    parser.add_argument("namespace")
    parser.add_argument("--account", default=ACCOUNT, help="directory of token and ca.crt")
    parser.add_argument("--seconds", type=float, default=60, help="when to give up")
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    while found := problem(options.namespace, options.account):
        if time.monotonic() > deadline:
            print(f"helm test: {found}", file=sys.stderr)
            return 1
        time.sleep(2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
