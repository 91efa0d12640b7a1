"""A unit of systemd that starts the stack at boot, and stops it at shutdown."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segue import private
from segue.errors import StackError
from segue.settings import PROJECT_DIR

NAME: Final = "segue.service"

# `segue up` leaves the services running and returns. They are in the unit's control group.
TEMPLATE: Final = """\
[Unit]
Description=Segue: Airflow, Kafka, document server, listens API
Documentation=file://{project}/README.md
After=network.target local-fs.target
RequiresMountsFor={project}

[Service]
Type=oneshot
RemainAfterExit=yes
{user}WorkingDirectory={project}
Environment={environment}
ExecStart={segue} up
ExecStop={segue} down
TimeoutStartSec=15min
TimeoutStopSec=5min
UMask=0077

[Install]
WantedBy={target}
"""


@dataclass(frozen=True)
class Unit:
    """The unit of one project.

    Attributes
    ----------
    of_user : bool
        Whether it belongs to the user's own systemd. Otherwise it belongs to the system's, and needs root.
    """

    of_user: bool

    @property
    def file(self) -> Path:
        """Where systemd reads it."""
        if self.of_user:
            base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
            return Path(base) / "systemd" / "user" / NAME
        return Path("/etc/systemd/system") / NAME

    @property
    def text(self) -> str:
        """Its content. The services get PATH and the settings of this shell."""
        kept = {name: value for name, value in os.environ.items() if name.startswith("SEGUE_") or name == "PATH"}
        environment = " ".join(_quoted(f"{name}={value}") for name, value in sorted(kept.items()))
        owner = os.environ.get("SUDO_USER") or os.environ.get("USER") or "root"
        return TEMPLATE.format(
            project=PROJECT_DIR,
            user="" if self.of_user else f"User={owner}\n",
            environment=environment,
            segue=_quoted(str(Path(sys.executable).with_name("segue"))).replace("$", "$$"),  # only in commands
            target="default.target" if self.of_user else "multi-user.target",
        )

    def install(self) -> list[str]:
        """Write the unit, and return the commands that start it.

        Raises
        ------
        StackError
            If the file cannot be written.
        """
        try:
            private.write(self.file, self.text)  # the settings may have passwords
        except OSError as error:
            raise StackError(f"{self.file} cannot be written: {error.strerror}. Use --user, or be root.") from None
        scope = " --user" if self.of_user else ""
        linger = ["loginctl enable-linger"] if self.of_user else []
        return [f"systemctl{scope} daemon-reload", f"systemctl{scope} enable --now {NAME}", *linger]

    def remove(self) -> bool:
        """Delete the unit. Return whether there was one."""
        existed = self.file.exists()
        self.file.unlink(missing_ok=True)
        return existed


def _quoted(text: str) -> str:
    """Quote a value as systemd reads it, which replaces ``%``."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
