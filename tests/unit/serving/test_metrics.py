import ast
from pathlib import Path

from webhook import serving
from webhook.injection import Entry, Reason
from webhook.serving.metrics import WHYS, Metrics


def test_there_is_a_counter_for_every_decision() -> None:
    assert set(Metrics().decisions) == {(entry, reason) for entry in Entry for reason in Reason}


def test_every_why_is_used_somewhere() -> None:
    """A counter that nothing counts would promise what the service does not tell apart."""
    used = {
        node.value
        for module in Path(serving.__path__[0]).glob("*.py")
        if module.stem != "metrics"
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(WHYS) <= used


def test_two_services_in_one_process_do_not_share_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.rejected["error"].inc()
    line = b'dind_webhook_rejected_requests_total{why="error"}'
    assert line + b" 1.0" in first.text()
    assert line + b" 0.0" in second.text()
