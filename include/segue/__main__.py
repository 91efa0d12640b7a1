"""Run the ``segue`` command as ``python -m segue``. The container images have no installed script."""

from segue.cli import app

app()
