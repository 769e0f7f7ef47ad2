"""The configuration file as a type: its profiles and its policy, and the rules between them.

The types are the file's schema: their descriptions, bounds and patterns are the JSON Schema that
`dind-webhook config schema` prints, the chart's schema of `config`, and the page
docs/administrators/configuration.md.
"""

from collections.abc import Iterator, Mapping
from typing import Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from webhook.config.base import Located, Model, by_name, reject
from webhook.config.fields import ApiVersion, Name
from webhook.config.image import is_allowed
from webhook.config.paths import is_within
from webhook.config.policy import Policy
from webhook.config.profile import Profile
from webhook.config.wording import shown

_MOST_NAMES = 20  # that a message lists


class Config(Model):
    """The configuration file of dind-webhook.

    Where the default profile is called `default`, its absence from `profiles` means the built-in
    one. A file with another default has only the profiles that it lists: pods cannot pick a
    privileged one that the file does not contain.
    """

    api_version: ApiVersion = Field(
        default="dind.io/v1alpha1", description="Version of the file's format."
    )
    default_profile: str = Field(
        default="default", description="The profile of pods that name none."
    )
    profiles: dict[Name, Profile] = Field(
        default={},
        validate_default=True,
        json_schema_extra=by_name,
        description="Profiles by name. Where the default profile is called `default`, its absence "
        "here means the built-in one.",
    )
    policy: Policy = Field(default=Policy(), description="What pods may ask for.")

    @field_validator("profiles")
    @classmethod
    def _with_built_in(
        cls, profiles: dict[str, Profile], info: ValidationInfo
    ) -> dict[str, Profile]:
        if info.data.get("default_profile") == "default" and "default" not in profiles:
            return {**profiles, "default": Profile()}
        return profiles

    @field_validator("profiles")
    @classmethod
    def _separates_stores(cls, profiles: dict[str, Profile]) -> dict[str, Profile]:
        """Reject directories in which a store would also be one of another namespace."""
        directories = {
            name: persistent.host_path
            for name, profile in profiles.items()
            if (persistent := profile.storage.persistent) is not None
        }
        problems: list[Located] = []
        for name, directory in directories.items():
            for other, above in directories.items():
                if directory != above and is_within(directory, above):
                    text = f"{directory} is in {above}, the hostPath of profile {shown(other)} "
                    text += "(accepted: the same directory, or one beside it)"
                    problems.append(((name, "storage", "persistent", "hostPath"), text))
                    break
        reject(problems)
        return profiles

    @field_validator("policy")
    @classmethod
    def _lets_pods_choose_containers(cls, policy: Policy, info: ValidationInfo) -> Policy:
        """Reject credentials that no pod can get."""
        if "containers" in policy.annotations:
            return policy
        profiles: Mapping[str, Profile] = info.data.get("profiles", {})
        problems: list[Located] = []
        for name, profile in profiles.items():
            credentials = profile.registry_credentials
            if credentials is not None and not credentials.containers:
                text = f"without containers, no pod of profile {shown(name)} can get its "
                text += "registryCredentials, which name no containers either"
                problems.append((("annotations",), text))
        reject(problems)
        return policy

    @model_validator(mode="after")
    def _names_profiles_that_exist(self) -> Self:
        reject(list(unknown_profiles(self.default_profile, self.profiles, self.policy.profiles)))
        return self

    def allowed_profiles(self, namespace: str) -> list[str]:
        """Names of the profiles that pods of a namespace may use, in the file's order."""
        if not self.policy.profiles:
            return list(self.profiles)
        matching = [
            names
            for pattern, names in self.policy.profiles.items()
            if is_allowed(namespace, [pattern])
        ]
        if not matching:
            return [self.default_profile]
        return [name for name in self.profiles if any(name in names for names in matching)]


def unknown_profiles(default: object, profiles: object, by_namespace: object) -> Iterator[Located]:
    """Find names of profiles that do not exist, whatever the three keys of a file hold.

    Args:
        default: at `defaultProfile`.
        profiles: at `profiles`.
        by_namespace: at `policy.profiles`.

    Yields:
        Problems; what is of another type than it should be has none here.
    """
    if not isinstance(profiles, Mapping):
        return
    built_in = {} if isinstance(default, str) and default != "default" else {"default": None}
    known = list({**profiles, **built_in})
    others = f"(profiles: {', '.join(str(name) for name in known[:_MOST_NAMES]) or 'none'})"
    if isinstance(default, str) and default not in known:
        yield ("defaultProfile",), f"unknown profile {shown(default)} {others}"
        known.append("default")  # It may be the one that is meant.
    if not isinstance(by_namespace, Mapping):
        return
    for pattern, names in by_namespace.items():
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and name not in known:
                path = ("policy", "profiles", pattern, index)
                yield path, f"unknown profile {shown(name)} {others}"
