"""SnapStart: what must not be frozen into a snapshot, and what must be fresh after a restore.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coldpress.serving import DataPlane


def register(plane: "DataPlane") -> None:
    """Registers the hooks. Only called where Lambda says that it takes snapshots."""
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    register_before_snapshot(before_snapshot, plane)
    register_after_restore(after_restore, plane)


def before_snapshot(plane: "DataPlane") -> None:
    """ONNX Runtime is open in the snapshot, together with whatever `COLDPRESS_PRELOAD` named."""
    plane.opener.library()


def after_restore(plane: "DataPlane") -> None:
    """Sockets of the snapshot lead nowhere, and what was read then is as old as the snapshot.

    Nothing here draws random numbers in user space: request ids and tokens come from the kernel.
    """
    plane.store.reconnect()
    plane.resolver.forget()
    plane.access.forget()
