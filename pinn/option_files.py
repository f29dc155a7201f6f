"""The folders of options, those that ship and one that a user adds."""

from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.plugins.config_source import ConfigResult

from pinn.plain_yaml import read_yaml

CONFIGS = next(
    folder
    for folder in (Path(__file__).parent / "configs", Path(__file__).parent.parent / "configs")
    if folder.is_dir()
)
"""Inside of the package where it is installed, beside it in the repository."""


def options(group: str, config_dir: str | None = None) -> list[str]:
    """Return the names of the options in a folder of `configs/`, and in that of a user's folder."""
    folders = [CONFIGS / group, *([Path(config_dir) / group] if config_dir else [])]
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


class BoundedFiles(FileConfigSource):
    """Option files that somebody else may have written: each is looked at before Hydra expands it."""

    @staticmethod
    def scheme() -> str:
        """Return the beginning of their paths."""
        return "bounded"

    def load_config(self, config_path: str) -> ConfigResult:
        """Load a file, unless it is too large."""
        read_yaml(Path(self.path) / self._normalize_file_name(config_path))
        return super().load_config(config_path)
