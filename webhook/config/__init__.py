"""The configuration file, and the value types that it shares with the core."""

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

__all__ = [
    "AddressPool",
    "Config",
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
]
