"""Git repositories that tests make: an owner of their own, whatever this machine's settings are."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {"user.name": "Owner", "user.email": "owner@example.org", "commit.gpgSign": "false"}
OWNER = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints."""
    done = subprocess.run(
        ["git", *OWNER, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
