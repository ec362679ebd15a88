"""Classifiers saved in the demo's folder."""

import secrets
import time
from pathlib import Path

from avzoo.apis.few_shot import FewShotClassifier
from avzoo.demo.refusal import Refused
from avzoo.utils.files import atomic_write_text
from avzoo.utils.printable import printable
from avzoo.utils.regular_files import read_text

_TITLE = 'title.txt'  # Next to the classifier's own files.
_LONGEST = 1000


class SavedClassifiers:
    """The classifiers in a folder, each in a subfolder named by the program.

    Args:
        folder: Where they are; created when the first one is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def titles(self) -> dict[str, str]:
        """Return the title of each classifier by the name of its folder, newest first."""
        found = sorted((path.parent for path in self.folder.glob('*/config.json')), reverse=True)
        return {path.name: _title(path) for path in found}

    def save(self, model: FewShotClassifier, title: str) -> Path:
        """Write a classifier to a new folder."""
        folder = self.folder / f'{time.strftime("%Y%m%d-%H%M%S")}-{secrets.token_hex(2)}'
        model.save_pretrained(folder)
        atomic_write_text(folder / _TITLE, title + '\n')
        return folder

    def path_of(self, name: object) -> Path:
        """Return the folder of a classifier that :meth:`titles` lists.

        Raises:
            Refused: If there is none.
        """
        listed = next((known for known in self.titles() if known == name), None)
        if listed is None:
            raise Refused(404, 'There is no such saved classifier. Reload the page.')
        return self.folder / listed


def _title(folder: Path) -> str:
    try:
        return printable(read_text(folder / _TITLE, at_most=_LONGEST).strip()) or folder.name
    except (OSError, ValueError):  # Copied here by hand, without a title.
        return folder.name
