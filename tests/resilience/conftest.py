"""Fixtures: a service of its own for each test that disturbs it."""

from service.fixtures import certificates, mounted_config, own_service

__all__ = ["certificates", "mounted_config", "own_service"]
