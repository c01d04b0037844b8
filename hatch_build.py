"""Link the top-level folders under src/opconform for an editable install.

The wheel maps them itself (pyproject.toml, `sources`); hatchling cannot map
them for an editable install, so this hook makes git-ignored links there.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("harness", "runtimes", "targets", "reports", "specs")


class LinkFolders(BuildHookInterface):  # type: ignore[type-arg]
    """Make `src/opconform/<folder>` a relative link to `<folder>`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            return
        package = Path(self.root) / "src" / "opconform"
        for folder in FOLDERS:
            link = package / folder
            if not link.is_symlink():
                link.symlink_to(Path("..") / ".." / folder, target_is_directory=True)
