"""`make e2e`: run the stack on a Docker engine, drive it as a user would, break it, and print a table of the steps.

make e2e              with the images of docker-compose.yml
make e2e OFFLINE=1    on stand-ins that are built here, where no registry can be reached; Grafana is left out
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tests.e2e import access, documents, faults, offline, own_campaigns, story, upgrade, watched
from tests.e2e.stack import HOME, Failure, Stack

Step = tuple[str, Callable[[Stack], str]]
console = Console(highlight=False)


def play_steps(stack: Stack, steps: list[Step]) -> list[tuple[str, float, str, bool]]:
    """Run the steps in order; gives each one's name, seconds, message, and whether it held. Stops at a failure."""
    played = []
    for name, step in steps:
        began = time.monotonic()
        if console.is_terminal:
            console.print(f"… {name}", end="\r", soft_wrap=True)
        try:
            message, held = step(stack), True
        except Failure as failure:
            message, held = str(failure), False
        except Exception as error:  # the table is to be printed all the same
            console.print_exception()
            message, held = repr(error), False
        played.append((name, time.monotonic() - began, message, held))
        console.print(
            f"[{'green]✓' if held else 'red]✗'}[/] {name} [dim]{played[-1][1]:.0f} s  {message}[/]", soft_wrap=True
        )
        if not held:
            break
    return played


def steps_table(played: list[tuple[str, float, str, bool]], caption: str) -> Table:
    table = Table(title="make e2e", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, caption=caption or None)
    table.add_column("step", max_width=44)
    table.add_column("seconds", justify="right")
    table.add_column("what was seen")
    for name, seconds, message, held in played:
        table.add_row(name, f"{seconds:.0f}", message if held else f"[red]{message.splitlines()[0]}[/]")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="make e2e", description=__doc__, add_help=True)
    parser.add_argument("--offline", action="store_true", help="build stand-ins for the images first")
    parser.add_argument("--keep", action="store_true", help="leave the stack running, to look at it")
    args = parser.parse_args()
    stack = Stack(args.offline)
    steps: list[Step] = [
        ("clear away an earlier one", clear),
        *(step for part in (upgrade, access, story, watched, faults, documents, own_campaigns) for step in part.STEPS),
    ]
    if args.offline:
        steps.insert(0, ("build stand-ins for the images", offline.build))
    began = time.monotonic()
    played = play_steps(stack, steps)
    held = all(held for *_, held in played)
    caption = ""
    if args.offline:
        caption = f"Left out, for no image can be had here: Grafana. Stood in for: {offline.STOOD_IN}."
    console.print()
    console.print(steps_table(played, caption))
    verdict = "[green]All steps held.[/]" if held else "[red]A step failed; the stack is left as it is, to look at.[/]"
    console.print(f"{verdict} {time.monotonic() - began:.0f} s in all.")
    if held and not args.keep:
        clear(stack)
    sys.exit(not held)


def clear(stack: Stack) -> str:
    """Remove the tests' own stack with its data. Another stack on the same ports would be in the way: say so."""
    if not (HOME / "env").exists():
        stack.command(sys.executable, "-m", "infra.write_env", stack.env["ENV_FILE"])
    stack.make("clean-stack")
    containers = stack.command("docker", "ps", "--filter", "publish=4200", "--format", "{{.Names}}").split()
    if containers:
        raise Failure(f"{', '.join(containers)} holds the stack's ports. Stop it first: make down")
    shutil.rmtree(HOME)
    return ""


if __name__ == "__main__":
    main()
