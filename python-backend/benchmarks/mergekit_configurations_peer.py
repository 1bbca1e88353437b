"""Run by a python that has mergekit 0.1.5: its command over every configuration of a folder.

    mergekit_configurations_peer.py FOLDER

FOLDER has NAME.yml files, whose models are folders below the working directory; each gives FOLDER/NAME/. Prints one
line of JSON: name → what mergekit said instead of merging.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import yaml
from mergekit.scripts.run_yaml import main as mergekit_yaml

OPTIONS = ["--no-copy-tokenizer", "--no-write-model-card", "--quiet", "--random-seed", "1"]


def merged(file: Path) -> None:
    """Document by document: what one with a name gives lies where the next looks for a model of that name."""
    for document in yaml.safe_load_all(file.read_text()):
        name = document.pop("name", None)
        target = file.with_suffix("") if name is None else Path(name)
        shutil.rmtree(target, ignore_errors=True)
        one = file.with_suffix(".yaml")
        one.write_text(yaml.safe_dump(document, sort_keys=False))
        mergekit_yaml([str(one), str(target), *OPTIONS], standalone_mode=False)


def main(folder: Path) -> None:
    failed = {}
    for file in sorted(folder.glob("*.yml")):
        try:
            merged(file)
        except Exception as error:
            failed[file.stem] = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps(failed) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
