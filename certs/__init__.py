"""Certificates of the webhook: issues them, and rotates them without a failed request."""
