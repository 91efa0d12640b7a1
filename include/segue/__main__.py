"""Run the ``segue`` command as ``python -m segue``, where no script is installed, as in the container images."""

from segue.cli import app

app()
