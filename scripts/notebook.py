"""Run the notebook from its first cell to its last, and keep its outputs and plots in it.

    python scripts/notebook.py

It uses the folder of music of the settings. If that is the sample corpus, it is rendered first.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

from segue.demo import sample
from segue.settings import PROJECT_DIR, get_settings

NOTEBOOK = PROJECT_DIR / "notebooks" / "analysis.ipynb"


def main() -> None:
    """Run it."""
    settings = get_settings()
    if settings.music is None and isinstance(settings.music_dir, Path):
        sample.render(settings.music_dir)
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": NOTEBOOK.parent}}).execute()
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key != "execution"}  # times
        if cell.cell_type == "code":  # without the lines of progress, which are about this machine
            cell.outputs = [output for output in cell.outputs if output.output_type != "stream"]
    nbformat.write(notebook, NOTEBOOK)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
