"""The process that reads documents, ended at once should it write, connect or start anything."""

import os
import sys
from typing import Any

from documents.child import main

CAUGHT = 99
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
#: The process makes itself the first that a machine without memory ends.
_ALLOWED = "/proc/self/oom_score_adj"


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        path, mode, flags = arguments
        writes = bool(set(mode or "") & set("wax+")) or bool((flags or 0) & _WRITES)
        if writes and not isinstance(path, int) and str(path) != _ALLOWED:
            os._exit(CAUGHT)
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.mkdir")):
        os._exit(CAUGHT)


if __name__ == "__main__":
    sys.addaudithook(watch)
    main()
