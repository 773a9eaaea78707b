"""Where a stack's servers listen: standard ports, the ones they had, or free ones."""

from scripts.stack.places import log_file
from scripts.stack.ports import choose_port, is_free, owner_of
from scripts.stack.processes import is_alive
from scripts.stack.progress import Say
from scripts.stack.recipe import Recipe
from scripts.stack.state import ServerState, StackState


def place(state: StackState, name: str, recipe: Recipe, say: Say) -> ServerState:
    """The server `name` of this stack with ports that are free now; not started.

    Standard ports come first, unless the stack is ephemeral or partly running: then clients
    already know the ports the server had. A standard port that is taken is named in one line.
    """
    ports: dict[str, int] = {}
    for port_name, standard in recipe.ports.items():
        taken = state.taken_ports(but=name) | set(ports.values())
        candidates = candidate_ports(state, name, port_name, standard)
        ports[port_name] = choose_port(candidates, taken)
        if standard in candidates and ports[port_name] != standard:
            say(_instead(name, port_name, standard, ports[port_name]))
    return ServerState(
        name=name,
        ports=ports,
        url=recipe.url(ports),
        settings=recipe.settings(ports),
        log=log_file(state.directory, name),
    )


def candidate_ports(
    state: StackState, name: str, port_name: str, standard: int | None
) -> list[int]:
    """The ports to try, best first."""
    known = state.servers.get(name)
    had = [known.ports[port_name]] if known and port_name in known.ports else []
    usual = [] if standard is None or state.ephemeral else [standard]
    running = any(is_alive(server.process) for server in state.servers.values())
    return [*had, *usual] if running else [*usual, *had]


def taken_port(server: ServerState) -> int | None:
    """The first of the server's ports that something listens on; None when all are free."""
    return next((port for port in server.ports.values() if not is_free(port)), None)


def _instead(name: str, port_name: str, standard: int | None, chosen: int) -> str:
    label = name if port_name == "main" else f"{name}'s {port_name}"
    owner = owner_of(standard) if standard else "another process"
    return f"port {standard} is taken by {owner}: {label} listens on {chosen}"
