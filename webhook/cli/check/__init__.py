"""The command `check`: whether the webhook of a cluster works, and how to fix it."""
