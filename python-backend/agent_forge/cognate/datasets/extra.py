"""Packages that only some data sets need, each installed by name and in one version."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from ..errors import InvalidSetting


def require_extra(package: str, wanted: str, install: str, name: str, field: str) -> None:
    """name: of the data set that asks for it. Raises InvalidSetting where the package is not there in this version.

    install: the command that installs it.
    """
    try:
        found = version(package)
    except PackageNotFoundError as error:
        message = f"needs the package {package} {wanted}, which is not installed: {install}"
        raise InvalidSetting(field, name, message) from error
    if found != wanted:
        raise InvalidSetting(field, name, f"needs {package} {wanted}, but {found} is installed: {install}")
