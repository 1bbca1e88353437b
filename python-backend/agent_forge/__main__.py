"""`python -m agent_forge`: serve, worker, interactive, backup, restore, openapi, ops."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pydantic import ValidationError

from .settings import Settings


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m agent_forge", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the HTTP API and run the workers")
    serve.add_argument("--host", default=None)
    serve.add_argument("--port", type=int, default=None, help="0: any free port, printed in the ready line")
    serve.add_argument("--data", type=Path, default=None, help="data directory")
    serve.add_argument("--exit-on-stdin-eof", action="store_true", help="end with the process that started this one")
    worker = commands.add_parser("worker", help="started by serve")
    worker.add_argument("--name", required=True)
    commands.add_parser("interactive", help="started by serve")
    for name, help_text in (
        ("backup", "copy the database, in use or not, to a new file"),
        ("restore", "put a backup in the database's place, which is moved aside"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("file", type=Path)
        command.add_argument("--data", type=Path, default=None, help="data directory")
    commands.add_parser("openapi", help="print the specification")
    ops = commands.add_parser("ops", help="print the merge methods")
    ops.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    match arguments.command:
        case "openapi":
            return _openapi()
        case "ops":
            return _ops(as_json=arguments.json)
    given = {name: getattr(arguments, name, None) for name in ("host", "port", "data")}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for found in error.errors():
            name = "_".join(str(part) for part in found["loc"][:1]).upper()
            print(f"AGENT_FORGE_{name}: {found['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    match arguments.command:
        case "serve":
            from .api.serve import serve as run_server

            try:
                return run_server(settings, exit_on_stdin_eof=arguments.exit_on_stdin_eof)
            except (OSError, ValueError, RuntimeError) as error:
                print(f"cannot serve: {error}", file=sys.stderr)  # noqa: T201
                return 1
        case "worker":
            from .worker.process import main as run_worker

            run_worker(settings, arguments.name)
        case "interactive":
            from .worker.interactive import main as run_interactive

            run_interactive(settings)
        case "backup" | "restore":
            return _backup(settings, arguments.command, arguments.file)
    return 0


def _backup(settings: Settings, command: str, file: Path) -> int:
    import sqlite3

    from .store import backup

    try:
        if command == "backup":
            made = backup.back_up(settings, file)
            print(f"Backed up {made.runs} runs and the digests of {made.models} models to {file}, {made.bytes} bytes.")  # noqa: T201
            print(f"The models' files are not in it: copy {settings.models} as well.")  # noqa: T201
            return 0
        done = backup.restore(settings, file)
    except (OSError, RuntimeError, sqlite3.Error) as error:
        print(f"{command} failed: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"Restored {done.backup.runs} runs and {done.backup.models} models as of {done.backup.created_at}.")  # noqa: T201
    if done.aside is not None:
        print(f"The database that was there before is {done.aside}.")  # noqa: T201
    for title, lines in (
        ("Runs that begin anew, since their checkpoint is gone", done.restarted),
        ("Models whose file is missing", done.missing),
        ("Models whose file is not the one that was backed up", done.differing),
    ):
        if lines:
            print(f"{title}:", *lines, sep="\n  ")  # noqa: T201
    return 0


def _openapi() -> int:
    from .api.app import create_app

    json.dump(create_app().openapi(), sys.stdout, indent=2, ensure_ascii=False)
    return 0


def _ops(*, as_json: bool) -> int:
    from .evomerge.merge_methods import merge_methods

    methods = merge_methods()
    if as_json:
        json.dump([method.model_dump(mode="json") for method in methods], sys.stdout, indent=2, ensure_ascii=False)
    else:
        for method in methods:
            print(f"{method.name:20} {method.summary}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
