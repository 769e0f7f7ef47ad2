"""The command `explain`: why a pod is injected, skipped or denied, check by check."""
