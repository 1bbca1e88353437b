"""A merge configuration as mergekit 0.1.5 documents it, each part with its line. What is not supported is refused.

Documentation: https://github.com/arcee-ai/mergekit/blob/main/README.md#merge-configuration
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from .chat_template import why_not
from .document import Scalar, Value
from .errors import ConfigurationRefused

DTYPES = ("bfloat16", "float16", "float32", "float64")
MOST_SOURCES = 64
"""Models of a merge."""
MOST_SLICES = 128
Found = TypeVar("Found")


@dataclass(frozen=True)
class ModelReference:
    """A model as a configuration names it: a folder, `owner/name`, an id, or the `name` of another document."""

    path: str
    revision: str | None = None
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.path}@{self.revision}" if self.revision else self.path


@dataclass(frozen=True)
class Choice:
    """One value, or several that are interpolated over the layers, for tensors whose name contains the filter."""

    values: tuple[bool | int | float | str, ...]
    gradient: bool
    filter: str | None = None


@dataclass(frozen=True)
class Setting:
    """The first choice whose filter fits counts."""

    line: int
    key: str
    choices: tuple[Choice, ...]

    def refused(self, message: str) -> ConfigurationRefused:
        return ConfigurationRefused(self.line, self.key, message)


Settings = Mapping[str, Setting]


@dataclass(frozen=True)
class Source:
    model: ModelReference
    layer_range: tuple[int, int] | None
    """[from, to); null: all."""
    parameters: Settings
    line: int


@dataclass(frozen=True)
class Slice:
    sources: tuple[Source, ...]
    base_model: ModelReference | None
    parameters: Settings
    line: int


@dataclass(frozen=True)
class TokenSource:
    """Where the row of a token comes from. model: null: zeros. token, id: of that model; null: the token itself."""

    model: ModelReference | None
    token: str | None
    id: int | None
    force: bool
    """Also in models that have the token."""
    line: int


@dataclass(frozen=True)
class Configuration:
    """One document."""

    line: int
    name: str | None
    method: str
    method_line: int
    models: tuple[Source, ...]
    """Empty where there are slices."""
    slices: tuple[Slice, ...]
    base_model: ModelReference | None
    parameters: Settings
    dtype: str | None
    out_dtype: str | None
    tokenizer_source: ModelReference | None
    """`union` and `base` are names of it too."""
    chat_template: str | None
    tokens: Mapping[str, TokenSource] = field(default_factory=dict)
    pad_to_multiple_of: int = 1


_TOP = {
    "name",
    "merge_method",
    "models",
    "slices",
    "base_model",
    "parameters",
    "dtype",
    "out_dtype",
    "tokenizer_source",
    "tokenizer",
    "chat_template",
}
_TOKENIZER = {"source", "tokens", "pad_to_multiple_of"}
_MOST_PADDED = 2**20
_WHY = {
    "modules": "models of several modules are not merged; give `models` or `slices`",
    "residual_weight": "is not supported: scale the tensors that write to the residual stream by a filter",
    "lora": "import the adapter onto its base first, and name the model that this gives",
    "override_architecture": "a model's architecture is that of its config.json",
    "trust_remote_code": "nothing runs that came with a model",
}


def configuration(document: Value) -> Configuration:
    """Raises `ConfigurationRefused`."""
    top = mapping(document, _TOP)
    if "merge_method" not in top:
        raise document.refused("`merge_method` is missing")
    given = [key for key in ("models", "slices") if key in top]
    if len(given) != 1:
        raise document.refused("exactly one of `models` and `slices` must be there")
    return Configuration(
        line=document.line,
        name=optional(top, "name", _name),
        method=plain_text(top["merge_method"]),
        method_line=top["merge_method"].key_line,
        models=tuple(map(_model, items(top["models"], MOST_SOURCES))) if "models" in top else (),
        slices=tuple(map(_slice, items(top["slices"], MOST_SLICES))) if "slices" in top else (),
        base_model=optional(top, "base_model", reference),
        parameters=_settings(top.get("parameters")),
        dtype=optional(top, "dtype", _dtype),
        out_dtype=optional(top, "out_dtype", _dtype),
        tokenizer_source=_tokenizer_source(document, top),
        chat_template=optional(top, "chat_template", _chat_template),
        tokens=_tokens(top.get("tokenizer")),
        pad_to_multiple_of=_multiple(top.get("tokenizer")),
    )


def _tokenizer_source(document: Value, top: Mapping[str, Value]) -> ModelReference | None:
    source = optional(top, "tokenizer_source", reference)
    tokenizer = top.get("tokenizer")
    if tokenizer is None or tokenizer.content is None:
        return source
    if source is not None:
        raise tokenizer.refused("`tokenizer_source` says it already")
    return optional(mapping(tokenizer, _TOKENIZER), "source", reference) or ModelReference("union", line=tokenizer.line)


def _tokens(tokenizer: Value | None) -> dict[str, TokenSource]:
    given = mapping(tokenizer, _TOKENIZER).get("tokens") if tokenizer is not None and tokenizer.content else None
    if given is None or given.content is None:
        return {}
    return {token: _token(value) for token, value in mapping(given, None).items()}


def _token(value: Value) -> TokenSource:
    parts = mapping(value, {"source", "force"})
    source = needed(value, parts, "source", lambda found: found)
    force = parts["force"].content if "force" in parts else False
    if not isinstance(force, bool):
        raise parts["force"].refused("must be true or false")
    kind = source.content.get("kind") if isinstance(source.content, dict) else None
    if kind is None:
        return TokenSource(reference(source), None, None, force, value.key_line)
    if kind.content == "zero":
        mapping(source, {"kind"})
        return TokenSource(None, None, None, force, value.key_line)
    if kind.content != "model_token":
        raise kind.refused(f"{kind.content!r} is neither zero nor model_token")
    own = mapping(source, {"kind", "model", "token", "token_id"})
    if ("token" in own) == ("token_id" in own):
        raise source.refused("exactly one of `token` and `token_id` must be there")
    model = needed(source, own, "model", reference)
    return TokenSource(
        model, optional(own, "token", plain_text), optional(own, "token_id", _whole), force, value.key_line
    )


def _multiple(tokenizer: Value | None) -> int:
    if tokenizer is None or tokenizer.content is None:
        return 1
    found = optional(mapping(tokenizer, _TOKENIZER), "pad_to_multiple_of", _whole)
    if found is not None and not 1 <= found <= _MOST_PADDED:
        raise tokenizer.refused(f"pad_to_multiple_of is {found}, it must be from 1 to {_MOST_PADDED}")
    return found or 1


def _whole(value: Value) -> int:
    if isinstance(value.content, bool) or not isinstance(value.content, int) or value.content < 0:
        raise value.refused("must be a whole number, 0 or more")
    return value.content


def _model(value: Value) -> Source:
    parts = mapping(value, {"model", "parameters"})
    return Source(needed(value, parts, "model", reference), None, _settings(parts.get("parameters")), value.line)


def _slice(value: Value) -> Slice:
    parts = mapping(value, {"sources", "base_model", "parameters"})
    return Slice(
        sources=tuple(map(_source, items(needed(value, parts, "sources", lambda found: found), MOST_SOURCES))),
        base_model=optional(parts, "base_model", reference),
        parameters=_settings(parts.get("parameters")),
        line=value.line,
    )


def _source(value: Value) -> Source:
    parts = mapping(value, {"model", "layer_range", "parameters"})
    return Source(
        model=needed(value, parts, "model", reference),
        layer_range=needed(value, parts, "layer_range", _layer_range),
        parameters=_settings(parts.get("parameters")),
        line=value.line,
    )


def _layer_range(value: Value) -> tuple[int, int]:
    ends = [item.content for item in items(value, 2)]
    if len(ends) != 2 or not all(type(end) is int for end in ends):
        raise value.refused("must be two whole numbers, the first layer and the one after the last")
    start, stop = (int(str(end)) for end in ends)
    if not 0 <= start < stop:
        raise value.refused(f"[{start}, {stop}] has no layers: must rise from 0 or more")
    return start, stop


def reference(value: Value) -> ModelReference:
    """`path`, `path@revision`, or such a mapping."""
    if isinstance(value.content, dict):
        parts = mapping(value, {"model", "path", "revision"})
        if "model" in parts:
            return reference(parts["model"])
        path = needed(value, parts, "path", plain_text)
        return ModelReference(path, optional(parts, "revision", plain_text), value.key_line)
    text = plain_text(value)
    if "+" in text:
        raise value.refused(f"{text!r} names an adapter: {_WHY['lora']}")
    path, _, revision = text.partition("@")
    if not path or "@" in revision or text.endswith("@"):
        raise value.refused(f"{text!r} is no model: a folder, `owner/name`, `owner/name@revision` or an id")
    return ModelReference(path, revision or None, value.key_line)


def _settings(value: Value | None) -> Settings:
    if value is None or value.content is None:
        return {}
    return {name: _setting(part) for name, part in mapping(value, None).items()}


def _setting(value: Value) -> Setting:
    content = value.content
    if isinstance(content, list) and not content:
        raise value.refused("an empty list sets nothing")
    if isinstance(content, list) and any(isinstance(item.content, dict) for item in content):
        choices = [_conditional(item) for item in content]
    elif isinstance(content, dict):
        choices = [_conditional(value)]
    else:
        choices = [_choice(value)]
    return Setting(value.key_line, value.key, tuple(choices))


def _conditional(value: Value) -> Choice:
    parts = mapping(value, {"value", "filter"})
    found = optional(parts, "filter", plain_text)
    plain = needed(value, parts, "value", _choice)
    return Choice(plain.values, plain.gradient, None if found == "*" else found)


def _choice(value: Value) -> Choice:
    if isinstance(value.content, list):
        if not value.content:
            raise value.refused("an empty list sets nothing")
        return Choice(tuple(map(_number, value.content)), gradient=True)
    return Choice((_number(value),), gradient=False)


def _number(value: Value) -> bool | int | float | str:
    content = value.content
    if content is None or isinstance(content, list | dict):
        raise value.refused("must be a number, true or false, or text")
    if isinstance(content, float) and not math.isfinite(content):
        raise value.refused(f"{content} is no finite number")
    return content


def _dtype(value: Value) -> str:
    text = plain_text(value).removeprefix("torch.")
    if text not in DTYPES:
        raise value.refused(f"{text!r} is not one of {', '.join(DTYPES)}")
    return text


def _name(value: Value) -> str:
    text = plain_text(value)
    if text in ("union", "base"):
        raise value.refused(f"{text!r} has a meaning as a tokenizer's source: choose another name")
    return text


def _chat_template(value: Value) -> str:
    text = plain_text(value)
    reason = why_not(text)
    if reason is not None:
        raise value.refused(reason)
    return text


def plain_text(value: Value) -> str:
    content: Scalar | list[Value] | dict[str, Value] = value.content
    # a model's name may look like a number
    if isinstance(content, bool) or not isinstance(content, str | int | float) or content == "":
        raise value.refused("must be text")
    return str(content)


def items(value: Value, most: int) -> list[Value]:
    if not isinstance(value.content, list) or not value.content:
        raise value.refused("must be a list with something in it")
    if len(value.content) > most:
        raise value.refused(f"{len(value.content)} entries, {most} at most")
    return value.content


def mapping(value: Value, known: set[str] | None) -> dict[str, Value]:
    """known: the keys that there may be; null: any."""
    if not isinstance(value.content, dict):
        raise value.refused("must be a mapping")
    if known is not None:
        for key, part in value.content.items():
            if key not in known:
                raise part.refused(_WHY.get(key, f"is not supported here; there are {', '.join(sorted(known))}"))
    return value.content


def needed(value: Value, parts: Mapping[str, Value], key: str, read: Callable[[Value], Found]) -> Found:
    if key not in parts:
        raise value.refused(f"`{key}` is missing")
    return read(parts[key])


def optional(parts: Mapping[str, Value], key: str, read: Callable[[Value], Found]) -> Found | None:
    return read(parts[key]) if key in parts and parts[key].content is not None else None


def all_references(found: Configuration) -> Iterator[ModelReference]:
    """Each model that is merged, in the order of the document; the base last."""
    for source in found.models:
        yield source.model
    for one in found.slices:
        for source in one.sources:
            yield source.model
        if one.base_model is not None:
            yield one.base_model
    if found.base_model is not None:
        yield found.base_model
