"""The notebook as it is committed, and the script that runs it. That it runs whole is an integration test."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from scripts import notebook

from segue.settings import PROJECT_DIR

OF_A_MACHINE = re.compile(
    r"/(home|root|Users|tmp|var|work|srv|opt|mnt)/|file:|https?://|" + re.escape(str(PROJECT_DIR))
)
PLOTS = 3


@pytest.fixture(scope="module")
def cells() -> list[Any]:
    read = nbformat.read(notebook.NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    return [cell for cell in read.cells if cell.cell_type == "code"]


def text_of(cell: Any) -> str:
    """Return all texts of a cell's outputs. Pictures are left out."""
    texts = [
        value for output in cell.outputs for kind, value in output.get("data", {}).items() if "image" not in kind
    ]
    return json.dumps(texts)


def test_the_committed_outputs_are_those_of_one_whole_run_and_of_no_machine(cells: list[Any]) -> None:
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run from first to last"
    silent = [cell.source for cell in cells if not cell.outputs]
    assert len(silent) == 3, "parameters, imports and the end have no outputs"
    assert sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs) == PLOTS
    assert "macro_f1" in "".join(map(text_of, cells))
    assert {output.output_type for cell in cells for output in cell.outputs} <= {"execute_result", "display_data"}
    found = [match.group() for cell in cells if (match := OF_A_MACHINE.search(text_of(cell) + str(cell.metadata)))]
    assert found == []


def test_a_run_keeps_results_and_plots_but_no_progress_and_no_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = ["import os\nhere = os.getcwd()", "print('progress')\n6 * 7"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]  # type: ignore[no-untyped-call]
    file = tmp_path / "small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)  # type: ignore[no-untyped-call]
    monkeypatch.setattr(notebook, "NOTEBOOK", file)
    monkeypatch.setattr(
        notebook, "get_settings", lambda: SimpleNamespace(music="s3://bucket", music_dir="s3://bucket")
    )
    notebook.main()
    ran = nbformat.read(file, as_version=4).cells  # type: ignore[no-untyped-call]
    assert [cell.execution_count for cell in ran] == [1, 2]
    assert [len(cell.outputs) for cell in ran] == [0, 1]
    assert ran[1].outputs[0].data == {"text/plain": "42"}
    assert [dict(cell.metadata) for cell in ran] == [{}, {}]


def test_a_cell_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "small.ipynb"
    cell = nbformat.v4.new_code_cell("1 / 0")  # type: ignore[no-untyped-call]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), file)  # type: ignore[no-untyped-call]
    before = file.read_bytes()
    monkeypatch.setattr(notebook, "NOTEBOOK", file)
    monkeypatch.setattr(
        notebook, "get_settings", lambda: SimpleNamespace(music="s3://bucket", music_dir="s3://bucket")
    )
    with pytest.raises(Exception, match="ZeroDivisionError"):
        notebook.main()
    assert file.read_bytes() == before
