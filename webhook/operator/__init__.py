"""The operator's file: YAML text comes in, a `Config` or one clear sentence comes out."""

from webhook.operator.file import ConfigError, load, parse, read
from webhook.operator.schema import schema

__all__ = ["ConfigError", "load", "parse", "read", "schema"]
