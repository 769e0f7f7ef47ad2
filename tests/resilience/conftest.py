"""A service of its own for one test: what is done to it here, no other test should meet."""

from service.fixtures import certificates, mounted_config, own_service

__all__ = ["certificates", "mounted_config", "own_service"]
