from __future__ import annotations

from segue.overview.dags import DAGS
from segue.settings import PROJECT_DIR


def test_each_file_of_dags_has_a_place_on_the_page() -> None:
    assert sorted(DAGS) == sorted(file.stem for file in (PROJECT_DIR / "dags").glob("*.py"))
