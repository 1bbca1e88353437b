"""Repositories of the Hugging Face hub, through its own library and cache. Imported only where one is fetched.

Of a repository only the files on the list are fetched (`documents`), each at the commit that the revision stood for
when it was asked for. The token, where a repository needs one, is the library's: `HF_TOKEN` or `hf auth login`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import HubError
from .documents import kind_of, left_out, require_kind
from .linking import Found


@dataclass(frozen=True, slots=True)
class Repository:
    name: str
    commit: str
    files: list[Found]
    """Without their paths: they are not fetched yet."""


def repository(name: str, revision: str, *, limit_bytes: int) -> Repository:
    """What the hub has of it; without a network, what the cache has. Raises HubError, TooLargeError."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        with _told(name, revision):
            info = HfApi().model_info(name, revision=revision, files_metadata=True)
    except HubError as away:
        if isinstance(away.__cause__, HfHubHTTPError):
            raise
        try:
            cached = Path(snapshot_download(name, revision=revision, local_files_only=True))
        except Exception:  # whatever it lacks: the reason that counts is why the hub cannot be asked
            raise away from None
        sizes = {path.name: path.stat().st_size for path in cached.iterdir() if path.is_file()}
        return _repository(name, cached.name, sizes, limit_bytes)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    return _repository(name, info.sha or revision, sizes, limit_bytes)


def fetch(found: Repository, file: str) -> Path:
    """The file in the hub's cache, fetched where it is not there. Raises HubError, OSError."""
    from huggingface_hub import hf_hub_download

    with _told(found.name, found.commit):
        return Path(hf_hub_download(found.name, file, revision=found.commit)).resolve()


def _repository(name: str, commit: str, sizes: dict[str, int], limit_bytes: int) -> Repository:
    files = []
    for file, size in sorted(sizes.items()):
        if kind_of(file) is not None:
            require_kind(file, size, limit_bytes)
        files.append(Found(file, Path(), size, None if kind_of(file) is not None else left_out(file)))
    return Repository(name, commit, files)


@contextmanager
def _told(name: str, revision: str) -> Iterator[None]:
    import httpx2
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise HubError(f"{name} is gated: accept its terms on the hub, and set HF_TOKEN for the backend") from error
    except RepositoryNotFoundError as error:
        raise HubError(f"the hub has no repository {name}, or none that HF_TOKEN may read") from error
    except RevisionNotFoundError as error:
        raise HubError(f"{name} has no revision {revision}") from error
    except OfflineModeIsEnabled as error:
        raise HubError(f"{name} cannot be fetched: HF_HUB_OFFLINE is set") from error
    except LocalEntryNotFoundError as error:
        raise HubError(f"{name} cannot be fetched: the hub does not answer, and its cache lacks a file") from error
    except HfHubHTTPError as error:
        raise HubError(f"{name} cannot be fetched: {error}") from error
    except (httpx2.HTTPError, ConnectionError, TimeoutError) as error:
        raise HubError(f"{name} cannot be fetched: the hub does not answer ({type(error).__name__})") from error
