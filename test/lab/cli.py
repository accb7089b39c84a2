"""The commands of the lab."""
import argparse

from . import chaos, faults, identity, memcheck, world
from .clients import SCHEMES
from .proxies import PROXIES


def main():
    parser = argparse.ArgumentParser(prog="test/lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    command = commands.add_parser("run", help="start the lab, say how to use it, wait for Ctrl-C")
    command.add_argument("--users", type=int, default=20)
    command.set_defaults(call=world.main_lab)

    command = commands.add_parser("identity", help="the interleaved run through one proxy")
    command.add_argument("--proxy", default="direct",
                         help=f"address:port, or one of {', '.join(PROXIES)}")
    command.add_argument("--scheme", action="append", choices=SCHEMES, help="repeatable")
    command.add_argument("--users", type=int, default=20)
    command.add_argument("--requests", type=int, help="of each user; default 1800 or 1080 in all")
    command.add_argument("--sessions", type=int, default=6, help="connections of each user")
    command.add_argument("--together", type=int, default=8, help="clients in flight at once")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--lab", help="directory of a lab that `run` started")
    command.set_defaults(call=identity.main_identity)

    command = commands.add_parser("faults", help="the scripted back end")
    command.add_argument("--name", default="IIS01")
    command.add_argument("--address", default="127.0.0.1")
    command.add_argument("--port", type=int, default=80)
    command.set_defaults(call=faults.main_faults)

    command = commands.add_parser("chaos", help="aborts, recycling back ends, reloads")
    command.add_argument("--proxy", default="direct", help="as for identity")
    command.add_argument("--seconds", type=float, default=25)
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(call=chaos.main_chaos)

    command = commands.add_parser("memcheck", help="sign-ins through the module under valgrind")
    command.add_argument("--mpm", default="prefork", choices=("event", "worker", "prefork"))
    command.set_defaults(call=memcheck.main_memcheck)

    options = parser.parse_args()
    return options.call(options)
