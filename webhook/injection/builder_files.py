"""The registries of a profile for BuildKit in builders that jobs create.

`docker buildx create` reads the file with the CAs that it names, and copies both into the builder
(docker/buildx, util/confutil). BuildKit has no entry for all registries and no credentials, and it
writes a mirror as host and path below /v2 (moby/buildkit, util/resolver). What it cannot express
is left out, so that it asks the registry itself.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from webhook.config import EVERY_REGISTRY, Mirror, Registry
from webhook.config.certificates import LARGEST_FILE

BUILDKIT_FILE = "buildkitd.toml"


def builder_files(registries: Mapping[str, Registry], directory: str) -> Iterator[tuple[str, str]]:
    """The paths and contents of the file and of the CAs that it names; nothing if it were empty.

    Args:
        registries: of the profile.
        directory: of the socket, where most containers of the job have it, too.
    """
    tables: dict[str, dict[str, Any]] = {}
    authorities: dict[str, str] = {}
    for host, registry in registries.items():
        if host == EVERY_REGISTRY:
            continue
        mirrors = () if registry.auth_secret else registry.mirrors
        urls = {name: mirror.url for mirror in mirrors if (name := _buildkit_name(mirror))}
        table = tables.setdefault(host, {})
        if urls:
            table["mirrors"] = list(urls)
        if registry.insecure:
            table |= {"http": True, "insecure": True}
        with_tls = [host]
        for name, url in urls.items():
            server = name.partition("/")[0]
            if url.startswith("https:"):
                with_tls.append(server)
            else:
                tables.setdefault(server, {})["http"] = True
        if registry.ca:
            path = f"{directory}/buildkit/ca-{len(authorities)}.crt"
            authorities[path] = registry.ca
            for server in dict.fromkeys(with_tls):
                tables.setdefault(server, {}).setdefault("ca", []).append(path)
    text = "\n".join(_table(host, table) for host, table in tables.items() if table)
    if text and len(text.encode()) <= LARGEST_FILE:
        yield f"{directory}/{BUILDKIT_FILE}", text
        yield from authorities.items()


def _buildkit_name(mirror: Mirror) -> str:
    """A mirror as BuildKit writes it, empty if it cannot: its path must lie below /v2."""
    url = urlsplit(mirror.url)
    path = url.path.rstrip("/")
    if mirror.override_path:
        below, prefix, rest = path.partition("/v2")
        if below or not prefix or (rest and not rest.startswith("/")):
            return ""
        return url.netloc + rest
    return url.netloc if path in ("", "/v2") else ""


def _table(host: str, table: Mapping[str, Any]) -> str:
    # A JSON string, boolean or list of strings is one of TOML, too.
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in table.items()]
    return f"[registry.{json.dumps(host)}]\n{''.join(lines)}"
