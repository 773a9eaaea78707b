"""Role store: vectors to the vector store."""

from agents.store import Store
from config.model import Role
from models.states import Lane
from roles.parts import Parts, attach, beat_as, new_app, tools_of
from stores.weaviate import WeaviateStore
from streams.app import StageApp, WebOptions
from streams.delivery import Stage
from streams.membership import Membership
from streams.readiness import Readiness
from streams.turns import Turns


def store_app(parts: Parts, web: WebOptions | None) -> tuple[StageApp, Readiness]:
    """Vectors to the vector store."""
    settings, names = parts.settings, parts.names
    app = new_app(parts, Role.STORE, web)
    store = Store(
        tools_of(parts, app),
        writer=parts.store,
        catalog=parts.catalog,
        marks=parts.cache,
        turns=Turns(settings.task.store_writes),
        write_objects=settings.task.store_objects,
    )
    for lane in Lane:
        stage = Stage(f"store.{lane}", store.begin, store.poison, settings.task.store_window)
        attach(app, names.vectors(lane), stage)
    app.background("tails", Membership(app, names.vectors(Lane.NORMAL)).watch_tails)
    if isinstance(parts.store, WeaviateStore):
        app.background_once("weaviate_client", parts.store.load)
    beat_as(parts, app, Role.STORE)
    app.after_stop += [parts.store.close, parts.cache.close]
    return app, Readiness(app)
