"""YAML as plain values that know their lines. No tags, no anchors, no merge keys: a text of n bytes is O(n) values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from .errors import ConfigurationRefused

MOST_BYTES = 256 * 2**10
"""Of UTF-8. The longest configurations that people share have some thousand lines."""
MOST_NESTED = 16
"""Levels of lists and mappings; a configuration has eight."""

Scalar = bool | int | float | str | None
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null")}


@dataclass(frozen=True)
class Value:
    """What stands in the document, with its place."""

    line: int
    key: str
    """Where it stands, dotted."""
    content: Scalar | list[Value] | dict[str, Value]
    key_line: int
    """Of the key before it, else its own."""

    def refused(self, message: str) -> ConfigurationRefused:
        return ConfigurationRefused(self.key_line, self.key, message)


def documents(text: str) -> list[Value]:
    """The documents of a stream, empty ones left out. Raises `ConfigurationRefused`."""
    if len(text.encode(errors="surrogatepass")) > MOST_BYTES:
        raise ConfigurationRefused(1, "", f"a configuration of more than {MOST_BYTES} bytes is not read")
    try:
        events = _plain(yaml.parse(text, Loader=_LOADER))
        found = list(_documents(events))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigurationRefused(mark.line + 1 if mark else 1, "", f"no YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise ConfigurationRefused(1, "", f"no YAML: {error}") from error
    return [document for document in found if document.content is not None]


def _plain(events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    """Raises `ConfigurationRefused` before anything is built of what is not plain."""
    nested = 0
    for event in events:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise ConfigurationRefused(line, "", "anchors and aliases are not read: write the value out")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise ConfigurationRefused(line, "", f"the tag {tag} is not read")
        nested += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if nested > MOST_NESTED:
            raise ConfigurationRefused(line, "", f"nested more than {MOST_NESTED} levels deep")
        yield event


def _documents(events: Iterator[yaml.Event]) -> Iterator[Value]:
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            yield _value(next(events), events, "", None)


def _value(event: yaml.Event, events: Iterator[yaml.Event], key: str, key_line: int | None) -> Value:
    line = _line(event)
    content: Scalar | list[Value] | dict[str, Value]
    if isinstance(event, yaml.ScalarEvent):
        content = _scalar(event, key)
    elif isinstance(event, yaml.SequenceStartEvent):
        content = []
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            content.append(_value(item, events, _joined(key, str(len(content))), None))
    else:
        content = {}
        while not isinstance(item := next(events), yaml.MappingEndEvent):
            name_line = _line(item)
            if not isinstance(item, yaml.ScalarEvent):
                raise ConfigurationRefused(name_line, key, "a key must be plain text")
            name: str = item.value
            if name in content:
                raise ConfigurationRefused(name_line, _joined(key, name), "is there twice")
            content[name] = _value(next(events), events, _joined(key, name), name_line)
    return Value(line, key, content, key_line or line)


def _scalar(event: yaml.ScalarEvent, key: str) -> Scalar:
    tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
    if tag not in _PLAIN:  # dates too: a model's name may look like one
        return str(event.value)
    try:
        found: Scalar = _CONSTRUCTOR.construct_object(yaml.ScalarNode(tag, event.value))
    except ValueError as error:
        raise ConfigurationRefused(_line(event), key, f"{event.value[:40]!r}: {error}") from error
    return found


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
