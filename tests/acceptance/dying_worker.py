"""`faust` with a fault point: the process dies around the record that announces a task.

Called like `faust`; the variable ACCEPTANCE_DIES says `before` or `after` the record is durable.
"""

import os

from faust.cli.faust import cli

from streams.producing import FaustProducer, Written

EXIT_CODE = 86
BEFORE = os.environ["ACCEPTANCE_DIES"] == "before"
_send = FaustProducer.send


async def send(self: FaustProducer, topic: str, *args: object, **options: object) -> Written:
    announcing = topic.endswith(".results")
    if announcing and BEFORE:
        os._exit(EXIT_CODE)
    written = await _send(self, topic, *args, **options)  # type: ignore[arg-type]  # passed on
    if announcing:
        os._exit(EXIT_CODE)
    return written


FaustProducer.send = send  # type: ignore[assignment]  # the fault point

if __name__ == "__main__":
    cli()
