#!/usr/bin/env python3
"""Test double of the REST API of OPSWAT MetaDefender Core, from the vendor's public documents.

Starts one node, prints `ready: NAME at ADDRESS`, and runs until SIGTERM. See README.md.
"""

import asyncio
import signal
import sys

# Tests start the double from the work tree, which must stay clean.
sys.dont_write_bytecode = True

import options as command_line  # noqa: E402
from analyses import Node  # noqa: E402
from faults import Faults  # noqa: E402
from reports import report  # noqa: E402
from routes import Router  # noqa: E402
from server import Server  # noqa: E402


async def run(options):
    """Serves until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    faults = Faults()
    answer = Router(Node(options, faults, report)).answer
    control = None
    if options.control:
        server = Server(answer, faults, stopping, faulty=False)
        control = await server.listen(*options.control)
    server = Server(answer, faults, stopping, options.idle_seconds)
    address = await server.listen(*options.listen)
    print(f"ready: {options.name} at {address}", flush=True)
    if control:
        print(f"control: {options.name} at {control}", flush=True)
    await stopping.wait()


def main():
    """Runs the double."""
    try:
        asyncio.run(run(command_line.parse()))
    except OSError as error:
        sys.exit(f"core_double: cannot listen: {error}")


if __name__ == "__main__":
    main()
