"""Volumes and mounts, as far as the core reads them. Source: Kubernetes API, core/v1."""

from msgspec import Struct, field


class Present(Struct, gc=False):
    """An object that is only tested for presence."""


class HostPath(Struct, gc=False):
    """A hostPath volume source."""

    path: str = ""


class CSI(Struct, gc=False):
    """A CSI volume of the pod itself."""

    driver: str = ""


class SecretVolume(Struct, rename="camel", gc=False):
    """A volume of a Secret."""

    secret_name: str = ""


class Volume(Struct, rename="camel", gc=False):
    """A volume. Sources that the core does not read are skipped."""

    name: str = ""
    host_path: HostPath | None = None
    empty_dir: Present | None = None
    csi: CSI | None = None
    # Made of API objects, Secrets among them.
    secret: SecretVolume | None = None
    config_map: Present | None = None
    projected: Present | None = None
    downward_api: Present | None = field(default=None, name="downwardAPI")
    # Disks and network file systems.
    aws_elastic_block_store: Present | None = None
    azure_disk: Present | None = None
    azure_file: Present | None = None
    cephfs: Present | None = None
    cinder: Present | None = None
    ephemeral: Present | None = None
    fc: Present | None = None
    gce_persistent_disk: Present | None = None
    glusterfs: Present | None = None
    iscsi: Present | None = None
    nfs: Present | None = None
    persistent_volume_claim: Present | None = None
    portworx_volume: Present | None = None
    quobyte: Present | None = None
    rbd: Present | None = None
    vsphere_volume: Present | None = None

    def is_made_of_api_objects(self) -> bool:
        """Tell whether it is a Secret, ConfigMap, projected or downward API volume."""
        return bool(self.secret or self.config_map or self.projected or self.downward_api)

    def is_storage(self) -> bool:
        """Tell whether it is an emptyDir, a PVC, a disk or a network file system."""
        return any(
            (
                self.empty_dir,
                self.persistent_volume_claim,
                self.ephemeral,
                self.nfs,
                self.aws_elastic_block_store,
                self.azure_disk,
                self.azure_file,
                self.cephfs,
                self.cinder,
                self.fc,
                self.gce_persistent_disk,
                self.glusterfs,
                self.iscsi,
                self.portworx_volume,
                self.quobyte,
                self.rbd,
                self.vsphere_volume,
            )
        )


class VolumeMount(Struct, rename="camel", gc=False):
    """A mount of a volume in a container."""

    name: str = ""
    mount_path: str = ""
    sub_path: str | None = None
    sub_path_expr: str | None = None
    read_only: bool | None = None
