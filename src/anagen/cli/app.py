"""The `anagen` command."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.callback()
def explain() -> None:
    """Measure a hair-loss trial and say honestly what it shows."""


def main() -> None:
    """Run the command line."""
    app()
