"""[MS-ASCMD] FolderSync, FolderCreate, FolderDelete, FolderUpdate."""

from __future__ import annotations

from lab import Lab, case
from wire import e


@case("MS-ASCMD", "R4062")
async def a_first_folder_sync_succeeds(lab: Lab) -> None:
    got = await lab.talker().post("FolderSync", e("FolderHierarchy:FolderSync", e("SyncKey", "0")))
    assert got.status == "1"
