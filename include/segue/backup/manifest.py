"""What a backup says of itself: the file ``backup.json``, which is written last."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from segue.errors import BackupError

FILE: Final = "backup.json"
FORM: Final = 1


class Manifest(BaseModel):
    """The content of a backup.

    Attributes
    ----------
    form : int
        Form of the backup.
    corpus : str
    made_at : datetime
        When the backup began. It holds every listen that was acknowledged before.
    documents : dict of str to int
        Number of documents of each collection.
    tables : dict of str to int
        Version of each Delta table of the lake.
    left_out : list of str
        Stores that are elsewhere, as sentences.
    """

    form: int = FORM
    corpus: str
    made_at: datetime
    documents: dict[str, int]
    tables: dict[str, int]
    left_out: list[str]

    def write(self, folder: Path) -> None:
        """Write it into the folder of a backup."""
        (folder / FILE).write_text(self.model_dump_json(indent=2))

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read it from the folder of a backup.

        Raises
        ------
        BackupError
            If the folder holds no backup that this version can restore.
        """
        try:
            found = cls.model_validate_json((folder / FILE).read_bytes())
        except FileNotFoundError:
            raise BackupError(f"{folder} holds no complete backup: it has no file {FILE}.") from None
        except ValidationError as error:
            raise BackupError(f"{folder / FILE} is damaged: {error.errors()[0]['msg']}.") from None
        if found.form > FORM:
            raise BackupError(f"{folder} was made by a later version of Segue. Restore it with that version.")
        return found
