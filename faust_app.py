"""The composition root: settings -> stores -> topics -> agents -> routes. Nobody imports it.

`faust -A faust_app worker` runs the role that `VECTORIZE_ROLE` picks: `master` (web, intake,
track; owns the tables), `extract`, `embed`, `store`, or `all` of them in one process. Every shape
uses the same consumer groups, so a deployment may change shape and loses nothing. `roles/` wires
each.
"""

import sys
from contextlib import AbstractAsyncContextManager

from faust.cli import AppCommand

from config import options
from config.errors import SettingsError
from config.logging import configure_structlog
from config.settings import load_settings, render_settings
from models.errors import VectorizeError
from roles.process import build
from streams.app import EX_CONFIG, StageApp
from streams.dead_commands import add_dead_commands, open_shelf
from streams.dead_shelf import DeadShelf
from streams.topics import TopicNames


def built() -> StageApp:
    """Build the app from the settings, or leave with the one line that says what is wrong."""
    try:
        return build(load_settings())
    except (SettingsError, VectorizeError) as error:
        print(f"vectorize: {error}", file=sys.stderr)  # noqa: T201  # logging is not set up yet
        sys.exit(EX_CONFIG)


configure_structlog()
app = built()


@app.command()
async def config(self: AppCommand) -> None:
    """Show each setting in force and where it comes from; secrets are masked."""
    self.say(render_settings(load_settings()))


def dead_shelf() -> AbstractAsyncContextManager[DeadShelf]:
    """Open the dead letters for a command."""
    settings = load_settings()
    return open_shelf(options.kafka_options(settings), TopicNames(settings.kafka.topic_prefix))


add_dead_commands(app, dead_shelf)
