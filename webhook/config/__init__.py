"""The configuration file, and the value types that it shares with the core."""

from webhook.config.configuration import Config
from webhook.config.daemon import AddressPool, Daemon, Metrics
from webhook.config.expiry import expired_certificates
from webhook.config.job import RegistryCredentials
from webhook.config.loading import ConfigError, parse_config, read_config_file
from webhook.config.policy import Maximum, Policy
from webhook.config.profile import Isolation, Mode, Placement, Profile, SecretReference, Socket
from webhook.config.registries import EVERY_REGISTRY, Mirror, Registry
from webhook.config.resources import ResourceList, Resources
from webhook.config.schema import json_schema
from webhook.config.storage import Persistent, Storage

__all__ = [
    "EVERY_REGISTRY",
    "AddressPool",
    "Config",
    "ConfigError",
    "Daemon",
    "Isolation",
    "Maximum",
    "Metrics",
    "Mirror",
    "Mode",
    "Persistent",
    "Placement",
    "Policy",
    "Profile",
    "Registry",
    "RegistryCredentials",
    "ResourceList",
    "Resources",
    "SecretReference",
    "Socket",
    "Storage",
    "expired_certificates",
    "json_schema",
    "parse_config",
    "read_config_file",
]
