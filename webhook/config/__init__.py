"""The configuration file, and the value types that it shares with the core."""

from webhook.config.loading import ConfigError, parse_config, read_config_file
from webhook.config.models import (
    AddressPool,
    Config,
    Daemon,
    Maximum,
    Mode,
    Placement,
    Policy,
    Profile,
    ResourceList,
    Resources,
    SecretReference,
    Socket,
    Storage,
)
from webhook.config.schema import json_schema

__all__ = [
    "AddressPool",
    "Config",
    "ConfigError",
    "Daemon",
    "Maximum",
    "Mode",
    "Placement",
    "Policy",
    "Profile",
    "ResourceList",
    "Resources",
    "SecretReference",
    "Socket",
    "Storage",
    "json_schema",
    "parse_config",
    "read_config_file",
]
