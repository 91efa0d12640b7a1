"""``python -m segue``: the ``segue`` command where no script is installed, as in the container images."""

from segue.cli import app

app()
