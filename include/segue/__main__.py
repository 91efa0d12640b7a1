"""Run the ``segue`` command as ``python -m segue``. The container images need this, as they install no script."""

from segue.cli import app

app()
