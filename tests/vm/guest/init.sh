#!/bin/sh
# The first process, from the initramfs: the disk's driver, then the disk.
mount -t proc proc /proc
mount -t devtmpfs dev /dev
modprobe -a virtio_pci virtio_blk
mount /dev/vda /node
mount --move /dev /node/dev
umount /proc
exec switch_root /node /init
