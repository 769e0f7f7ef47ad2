"""What the job's containers get beside the socket: certificates, and credentials for registries."""

import re

from pydantic import Field, field_validator

from webhook.config.base import Model, reject
from webhook.config.fields import Name, SecretName, VariableName

_MOST_VARIABLES = 20  # of jobCertificates, in each container
# `docker` reads those that begin with DOCKER_, and the linker those that begin with LD_. The others
# are a directory, a script, options or a URL: with the path of a certificate, programs break.
_NO_CERTIFICATES = re.compile(
    "DOCKER_.*|LD_.*|HOME|PATH|PWD|OLDPWD|SHELL|IFS|ENV|BASH_ENV|TMPDIR|TMP|TEMP|KUBECONFIG|GIT_DIR"
    "|SSL_CERT_DIR|PYTHONHOME|NODE_OPTIONS|JAVA_TOOL_OPTIONS|JAVA_HOME|RUBYOPT|PERL5OPT"
    "|(?i:[a-z]+_proxy)"
)


class JobCertificates(Model):
    """How the containers that get the socket also get the CA certificates of their profile."""

    file: bool = Field(
        default=False,
        description="Write `caCertificates` to the file `ca.crt` in the socket's directory.",
    )
    environment: tuple[VariableName, ...] = Field(
        default=(),
        max_length=_MOST_VARIABLES,
        description="Variables that are set to the path of this file in containers that lack them, "
        "such as NODE_EXTRA_CA_CERTS. Most others, such as SSL_CERT_FILE, make a program trust "
        "these certificates only. Not accepted: names that hold something else, such as all that "
        "begin with DOCKER_.",
    )

    @field_validator("environment")
    @classmethod
    def _name_no_certificates(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Reject variables for which the path of a certificate breaks the container."""
        problems = [
            ((index,), f"{name} does not name a file of certificates (such as SSL_CERT_FILE)")
            for index, name in enumerate(names)
            if _NO_CERTIFICATES.fullmatch(name)
        ]
        reject(problems)
        return names


class RegistryCredentials(Model):
    """A Secret in the pod's own namespace with which the job's containers use registries."""

    secret_name: SecretName = Field(
        description="The Secret's name; its type is kubernetes.io/dockerconfigjson."
    )
    containers: tuple[Name, ...] = Field(
        default=(),
        description="Names of the containers that get the credentials, if they get the socket. "
        "Empty: those that `dind.io/containers` lists; without that annotation, none.",
    )
