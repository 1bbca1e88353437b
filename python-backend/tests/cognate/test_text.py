from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from agent_forge.cognate.datasets import text
from agent_forge.cognate.datasets.hub import hub_id, load_hub
from agent_forge.cognate.datasets.problem import Split
from agent_forge.cognate.datasets.registry import check_datasets, load_datasets
from agent_forge.cognate.errors import InvalidSetting
from agent_forge.contract.cognate import DatasetChoice


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    lines = [json.dumps({"prompt": f"{n} plus {n}?", "answer": str(2 * n)}) for n in range(200)]
    (root / "sums.jsonl").write_text("\n".join([*lines, lines[0], ""]))
    (root / "prose.txt").write_text("".join(f"Sentence {n} says so. " for n in range(1000)))
    return root


def _load(root: Path, name: str) -> text.TextDataset:
    (dataset,) = load_datasets([DatasetChoice(name=name)], 2, 32, [root])
    assert isinstance(dataset, text.TextDataset)
    return dataset


def test_jsonl_rows_are_split_by_content(root: Path) -> None:
    dataset = _load(root, "file:sums.jsonl")
    prompts = [p.prompt for part in dataset.parts.values() for p in part]
    assert len(prompts) == len(set(prompts)) == 200
    assert len(dataset.parts[Split.train]) > 100
    reversed_file = root / "reversed.jsonl"
    reversed_file.write_text("\n".join(reversed((root / "sums.jsonl").read_text().splitlines())))
    again = _load(root, "file:reversed.jsonl")
    assert {s: set(part) for s, part in again.parts.items()} == {s: set(part) for s, part in dataset.parts.items()}


def test_unicode_line_separators_do_not_end_a_row(root: Path) -> None:
    rows = [json.dumps({"prompt": f"{n}\u2028\x85", "answer": "yes"}, ensure_ascii=False) for n in range(100)]
    (root / "separators.jsonl").write_text("\r\n".join(rows))
    assert sum(map(len, _load(root, "file:separators.jsonl").parts.values())) == 100


def test_plain_text_is_cut_into_windows_that_join_to_the_whole(root: Path) -> None:
    dataset = _load(root, "file:prose.txt")
    found = sorted(len(p.answer) for part in dataset.parts.values() for p in part)
    assert found[-1] == found[1] == 240
    assert sum(found) == len((root / "prose.txt").read_text())


@pytest.mark.parametrize("name", ["sums.jsonl", "prose.txt"])
def test_a_byte_order_mark_is_no_text(root: Path, name: str) -> None:
    marked = root / f"marked-{name}"
    marked.write_bytes(b"\xef\xbb\xbf" + (root / name).read_bytes())
    assert _load(root, f"file:marked-{name}").parts == _load(root, f"file:{name}").parts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON at line 1"),
        ('{"prompt": "a"}', "line 1 lacks text"),
        ('{"prompt": "a", "answer": 3}', "line 1 lacks text"),
        ("[]", "line 1 lacks text"),
        ('\n\n{"prompt": "a", "answer": "b"', "not JSON at line 3"),
        ('{"prompt": "a", "answer": ' + "[" * 100_000, "not JSON at line 1: .*recursion"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON at line 1: .*digits"),
        ('{"prompt": "a", "answer": "\\ud800"}', r"line 1 holds half of a surrogate pair, \\ud800"),
        ('{"prompt": "\\ud83d", "answer": "\\ude00"}', r"line 1 holds half of a surrogate pair, \\ud83d"),
        ('{"prompt": "a", "answer": "b"}', "too few problems"),
        ("", "too few problems"),
    ],
)
def test_bad_files_say_where(root: Path, content: str, message: str) -> None:
    (root / "bad.jsonl").write_text(content)
    with pytest.raises(InvalidSetting, match=message) as caught:
        _load(root, "file:bad.jsonl")
    assert caught.value.field == "datasets.0.name"
    assert caught.value.value == "file:bad.jsonl"


def test_bytes_that_are_no_text(root: Path) -> None:
    (root / "bad.txt").write_bytes(b"abc\xff")
    with pytest.raises(InvalidSetting, match="not UTF-8 at byte 3"):
        _load(root, "file:bad.txt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file:", "is not a file name"),
        ("file:a\0b.txt", "is not a file name"),
        ("file:absent.txt", "is not there"),
        ("file:../outside.txt", "is not there"),
        ("file:link.txt", "is not there"),
        ("file:secret.pem", "suffix .pem"),
        ("file:folder.txt", "is not there"),
        ("file:/etc/passwd", "is not there"),
        ("file:loop.txt", "leads to no file|is not there"),
        ("file:loop.txt/x.txt", "leads to no file|is not there"),
        (f"file:{'x' * 300}.txt", "leads to no file: File name too long"),
        ("gsm8k", "is not a dataset"),
        ("recall ", "is not a dataset"),
    ],
)
def test_names_outside_the_rules_are_refused(root: Path, name: str, message: str) -> None:
    (root.parent / "outside.txt").write_text("secret")
    (root / "link.txt").symlink_to(root.parent / "outside.txt")
    (root / "secret.pem").write_text("key")
    (root / "folder.txt").mkdir()
    (root / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(InvalidSetting, match=message) as caught:
        check_datasets([DatasetChoice(name="recall"), DatasetChoice(name=name)], [root])
    assert caught.value.field == "datasets.1.name"
    assert caught.value.allowed


def test_paths_below_a_root_are_found_however_they_are_written(root: Path) -> None:
    inner = root / "inner"
    inner.mkdir()
    (inner / "link.jsonl").symlink_to(root / "sums.jsonl")
    expected = (root / "sums.jsonl").resolve()
    for name in ("file:sums.jsonl", f"file:{root}/sums.jsonl", "file:inner/../sums.jsonl", "file:inner/link.jsonl"):
        assert text.resolve_dataset_path(name, [root.parent / "nowhere", root]) == expected


def test_no_root_means_no_file(root: Path) -> None:
    with pytest.raises(InvalidSetting, match="no directory at all"):
        text.resolve_dataset_path(f"file:{root}/sums.jsonl", [])


def test_too_large_a_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_FILE_BYTES", 10)
    with pytest.raises(InvalidSetting, match="bytes long"):
        text.resolve_dataset_path("file:sums.jsonl", [root])


def test_named_twice(root: Path) -> None:
    with pytest.raises(InvalidSetting, match="named twice"):
        check_datasets([DatasetChoice(name="recall")] * 2, [root])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf:openai/gsm8k", ("openai/gsm8k", None)),
        ("hf:openai/gsm8k:main", ("openai/gsm8k", "main")),
        ("hf:ChilleD/SVAMP", ("ChilleD/SVAMP", None)),
        ("hf:a_b.c/x--y:2.0-en", ("a_b.c/x--y", "2.0-en")),
    ],
)
def test_names_of_the_hub(name: str, expected: tuple[str, str | None]) -> None:
    check_datasets([DatasetChoice(name=name)], [])
    assert hub_id(name) == expected


@pytest.mark.parametrize(
    "rest",
    [
        "", "/", "gsm8k", "json", "csv", "parquet", "owner/", "/name", "/etc", "/etc/passwd", "~/name", "owner//name",
        ".", "..", "./folder", "./folder/x", "../x", "a/.", "a/..", "./b", ".hidden/b", "a/b/", "a/b/c", "a/b/../../c",
        "a\\b", "a/b\0", "a/b\n", "a/b ", " a/b", "a/*", "file:/etc/passwd", "hf://datasets/a/b", "https://x/a",
        "a/b:", ":main", "a/b:../x", "a/b:/etc", "a/b:c:d", "a/b@main", "zip://x::a/b", "ä/b",
    ],
)  # fmt: skip
def test_no_path_is_a_name_of_the_hub(rest: str) -> None:
    with pytest.raises(InvalidSetting, match="is not a dataset of the hub") as caught:
        check_datasets([DatasetChoice(name=f"hf:{rest}")], [])
    assert caught.value.allowed
    with pytest.raises(InvalidSetting, match="is not a dataset of the hub"):
        load_hub(f"hf:{rest}")


def test_hub_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InvalidSetting, match="pip install"):
        load_datasets([DatasetChoice(name="hf:openai/gsm8k")], 2, 32, [])


def lines(count: int) -> str:
    return "".join(f'{{"prompt": "question {number}", "answer": "{number}"}}\n' for number in range(count))


FILES: list[tuple[str, str, bytes, str | None]] = [
    ("good", "a.jsonl", lines(200).encode(), None),
    ("text", "a.txt", b"words and more words. " * 5000, None),
    ("line without an answer", "a.jsonl", lines(30).encode() + b'{"prompt": "x"}\n', "line 31 lacks text"),
    ("no JSON", "a.jsonl", lines(3).encode() + b"prompt,answer\n", "is not JSON at line 4"),
    ("not UTF-8", "a.jsonl", lines(2).encode() + b"\xff\xfe\n", "is not UTF-8 at byte .*, in line 3"),
    ("too few problems", "a.jsonl", lines(2).encode(), "too few problems"),
    ("empty", "a.txt", b"", "too few problems"),
    ("a model", "a.jsonl", bytes(range(256)) * 9000, "is not UTF-8"),
    ("large", "a.jsonl", lines(60_000).encode(), None),
    ("large, wrong at the beginning", "a.jsonl", b"{}\n" + lines(60_000).encode(), "line 1 lacks text"),
    ("large, cut within a character", "a.txt", "é".encode() * 2**20, None),
    ("large, cut within a character of a line", "a.txt", b"x" + "é\n".encode() * 2**20, None),
    ("one line beyond the bound", "a.jsonl", b'{"prompt": "' + b"x" * 2**21, None),
]


@pytest.mark.parametrize(("file", "content", "said"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_the_beginning_of_a_file_is_read_before_a_run(
    tmp_path: Path, file: str, content: bytes, said: str | None
) -> None:
    (tmp_path / file).write_bytes(content)
    choices = [DatasetChoice(name="recall"), DatasetChoice(name=f"file:{file}")]
    if said is None:
        check_datasets(choices, [tmp_path])
        return
    with pytest.raises(InvalidSetting, match=said) as caught:
        check_datasets(choices, [tmp_path])
    assert (caught.value.field, caught.value.value) == ("datasets.1.name", f"file:{file}")
    with pytest.raises(InvalidSetting, match=said):
        load_datasets(choices, 2, 32, [tmp_path])


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.jsonl").write_text(lines(200))
    (root / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (root / "folder").symlink_to(tmp_path)
    for name in ("link.jsonl", "folder/secret.jsonl"):
        with pytest.raises(InvalidSetting, match="is not there"):
            check_datasets([DatasetChoice(name=f"file:{name}")], [root])
    (root / "inside.jsonl").symlink_to("real.jsonl")
    (root / "real.jsonl").write_text(lines(200))
    check_datasets([DatasetChoice(name="file:inside.jsonl")], [root])
