"""Finds Chromium, which the tests of the explain page drive."""

import shutil

from tools.build import ToolMissing, apt_install


def find_chromium() -> str:
    """Returns the path of the program.

    Raises:
        ToolMissing: it is not installed.
    """
    found = shutil.which("chromium")
    if found is None:
        raise ToolMissing(f"chromium: not found; {apt_install(['chromium'])}")
    return found
