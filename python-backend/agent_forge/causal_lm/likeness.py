"""Whether causal language models compute alike, by their configs as transformers reads them, defaults filled in."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..contract.architecture import CausalLM
from .config import unlike
from .errors import NotRunnable
from .network import config_of


def refuse_unlike(models: Iterable[tuple[str, CausalLM]], but: Collection[str] = ()) -> None:
    """models: named. but: keys that may differ. Raises NotRunnable, which says where a config first differs from the
    first one's."""
    (first, wanted), *others = ((name, config_of(one).to_dict()) for name, one in models)
    for name, found in others:
        for key, own, one in unlike(found, wanted):
            if key not in but:
                raise NotRunnable(f"{name} has config.{key} {own}, {first} has {one}: such models compute differently")
