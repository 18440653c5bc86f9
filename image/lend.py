"""What the machine's pip is told, lent to the pip of a build: index, proxy and certificates, as two secret files."""

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from image.steps import answer

__all__ = ["secrets"]

LENT = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
"""Settings that mean the same inside the build; paths and the like do not."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def _settings() -> dict[str, str]:
    """Configuration of pip, from its files and the environment, which wins."""
    told = answer([sys.executable, "-m", "pip", "config", "list"]) or ""
    settings = {}
    for line in sorted(told.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    return settings


@contextmanager
def secrets() -> Iterator[list[str]]:
    """The `--secret` options for a build; the files are gone afterwards, since an index may come with a password."""
    settings = _settings()
    lent = {name: settings[name] for name in LENT if name in settings}
    trusted = settings.get("cert") or os.environ.get("SSL_CERT_FILE") or CERTIFICATES  # noqa: TID251
    options = []
    if Path(trusted).is_file():
        lent["cert"] = "/run/secrets/ca.pem"
        options += ["--secret", f"id=ca.pem,src={trusted}"]
    with TemporaryDirectory(prefix="wakala-image-") as directory:
        file = Path(directory) / "pip.conf"
        # A value of many lines goes on with an indent.
        lines = [f"{name} = " + "\n    ".join(value.split()) for name, value in lent.items()]
        file.write_text("\n".join(["[global]", *lines, ""]))
        yield [*options, "--secret", f"id=pip.conf,src={file}"]
