"""dind-webhook: a mutating admission webhook that gives CI pods a working Docker daemon."""

__version__ = "0.1.0"
