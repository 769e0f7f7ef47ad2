"""Volumes and mounts, as far as the core reads them. Source: Kubernetes API, core/v1."""

from collections.abc import Sequence

from msgspec import Struct, field


class Present(Struct, gc=False):
    """An object that is only tested for presence."""


class HostPath(Struct, gc=False):
    """A hostPath volume source."""

    path: str = ""


class Disk(Struct, rename="camel", gc=False):
    """A PVC, a disk or a network file system."""

    read_only: bool | None = None


class CSI(Struct, rename="camel", gc=False):
    """A CSI volume of the pod itself."""

    driver: str = ""
    read_only: bool | None = None


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
    image: Present | None = None
    ephemeral: Present | None = None
    # Disks and network file systems.
    aws_elastic_block_store: Disk | None = None
    azure_disk: Disk | None = None
    azure_file: Disk | None = None
    cephfs: Disk | None = None
    cinder: Disk | None = None
    fc: Disk | None = None
    gce_persistent_disk: Disk | None = None
    glusterfs: Disk | None = None
    iscsi: Disk | None = None
    nfs: Disk | None = None
    persistent_volume_claim: Disk | None = None
    portworx_volume: Disk | None = None
    quobyte: Disk | None = None
    rbd: Disk | None = None
    vsphere_volume: Present | None = None

    def is_made_of_api_objects(self) -> bool:
        """Tell whether it is a Secret, ConfigMap, projected or downward API volume."""
        return bool(self.secret or self.config_map or self.projected or self.downward_api)

    def is_storage(self) -> bool:
        """Tell whether it is an emptyDir, a PVC, a disk or a network file system."""
        return any((self.empty_dir, self.ephemeral, self.vsphere_volume, *self._disks()))

    def is_read_only(self) -> bool:
        """Tell whether every mount of it is read-only, whatever the mount says.

        Source: Kubernetes, the volume plugins in pkg/volume (GetAttributes).
        """
        sources = (*self._disks(), self.csi)
        return (
            self.is_made_of_api_objects()
            or self.image is not None
            or any(source is not None and source.read_only for source in sources)
        )

    def _disks(self) -> Sequence[Disk | None]:
        """The sources that may be read-only themselves."""
        return (
            self.persistent_volume_claim,
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
        )


class VolumeMount(Struct, rename="camel", gc=False):
    """A mount of a volume in a container."""

    name: str = ""
    mount_path: str = ""
    sub_path: str | None = None
    sub_path_expr: str | None = None
    read_only: bool | None = None
