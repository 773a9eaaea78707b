"""Role extract: documents to units."""

from pathlib import Path

from agents.extract import Extract, Reading
from agents.imaging import Imaging
from agents.obtaining import Obtainer
from agents.revisions import Revisions
from config import options
from config.model import Role, Settings
from documents.reading import Readers
from embedding.pixel_spec import pixel_spec
from embedding.weights import tokenizer_file
from models.errors import StartRefused
from models.images import PixelSpec
from models.states import Lane
from roles.parts import CLOCK, Parts, attach, beat_as, new_app, open_blobs, tools_of
from stores.guarded_fetch import GuardedFetch
from streams import figures
from streams.app import StageApp, WebOptions
from streams.delivery import Stage
from streams.document_table import DocumentTable, version_of
from streams.membership import Membership
from streams.readiness import Readiness
from streams.room import Room
from streams.tables import DurableTable
from streams.tools import StageTools
from streams.topics import DOCUMENTS
from streams.turns import Turns

#: Tasks whose files lie in the blob store, and as many whose are fetched, for each process that
#: reads.
AT_ONCE_A_READER = 4


def extract_app(parts: Parts, web: WebOptions | None) -> tuple[StageApp, Readiness]:
    """Files to units of text."""
    settings, names = parts.settings, parts.names
    app = new_app(parts, Role.EXTRACT, web)
    tools = tools_of(parts, app)
    fetcher = open_fetcher(settings)
    readers = Readers(settings.document.readers, options.reading_limits(settings))
    # One turn more than there are processes: it is kept for the high lane.
    turns = Turns(settings.document.readers + 1)
    obtainer = Obtainer(fetcher, open_blobs(settings), Room(settings.document.held_bytes))
    specs = PixelSpecs(parts)
    imaging = Imaging(readers, obtainer, spec_of=specs.of, turns=turns, clock=CLOCK)
    reading = Reading(readers, Tokenizers(parts).file_of, turns)
    extract = Extract(
        tools,
        obtainer=obtainer,
        reading=reading,
        imaging=imaging,
        revisions=revisions_of(parts, app, tools),
        marks=parts.cache,
        worker=parts.worker,
        at_once=settings.document.readers * AT_ONCE_A_READER,
    )
    for lane in Lane:
        stage = Stage(f"extract.{lane}", extract.begin, extract.poison, settings.document.window)
        attach(app, names.files(lane), stage)
    app.background("tails", Membership(app, names.files(Lane.NORMAL)).watch_tails)
    beat_as(parts, app, Role.EXTRACT)
    app.after_stop += [readers.close, fetcher.close, parts.store.close, parts.cache.close]
    return app, Readiness(app)


def revisions_of(parts: Parts, app: StageApp, tools: StageTools) -> Revisions:
    """What stands of each document, in a table of this role."""
    partitions = parts.settings.kafka.unit_partitions
    table = DurableTable(app, DOCUMENTS, partitions, version_of=version_of)
    figures.TABLE_BUFFERS.labels(DOCUMENTS).set_function(table.buffers_bytes)
    return Revisions(
        tools,
        documents=DocumentTable(table),
        store=parts.store,
        catalog=parts.catalog,
        worker=parts.worker,
    )


def open_fetcher(settings: Settings) -> GuardedFetch:
    """What fetches from URLs; raise StartRefused where its settings cannot be."""
    try:
        return GuardedFetch(options.fetch_options(settings), clock=CLOCK)
    except ValueError as error:
        raise StartRefused(str(error)) from error


class PixelSpecs:
    """How the catalog's models want images; each is read once."""

    def __init__(self, parts: Parts) -> None:
        """Know the models of the catalog."""
        self._catalog = parts.catalog
        self._known: dict[str, PixelSpec | None] = {}

    def of(self, model: str) -> PixelSpec | None:
        """How a model wants images; raise UnknownModel or BadWeights."""
        if model not in self._known:
            self._known[model] = pixel_spec(self._catalog.resolve(model))
        return self._known[model]


class Tokenizers:
    """Where the tokenizers of the catalog's models lie; each is checked once."""

    def __init__(self, parts: Parts) -> None:
        """Know the models of the catalog."""
        self._catalog = parts.catalog
        self._known: dict[str, Path | None] = {}

    def file_of(self, model: str) -> Path | None:
        """The file of a model's tokenizer; raise UnknownModel or BadWeights."""
        if model not in self._known:
            self._known[model] = tokenizer_file(self._catalog.resolve(model))
        return self._known[model]
