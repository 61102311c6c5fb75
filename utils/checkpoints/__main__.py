"""The checkpoints from the command line: `python -m utils.checkpoints --help`."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from utils.checkpoints import (
    kept_answers,
    kept_cuts,
    kept_drafts,
    kept_learning,
    kept_passages,
    kept_places,
    kept_proofs,
    kept_reading,
    kept_reward,
    kept_states,
    making,
    store,
    study,
)
from utils.checkpoints.cluster import ClusterError
from utils.checkpoints.making import NAMES, recipe_of
from utils.checkpoints.recipes import RECIPES
from utils.text.printing import run_program

ANSWERS = "forced-answers"  # of SmolLM2, kept like a checkpoint
KEPT_BY = {  # {what is kept: the module that keeps it}
    **dict.fromkeys(kept_cuts.MAKE, kept_cuts),
    **dict.fromkeys(kept_drafts.MAKE, kept_drafts),
    **dict.fromkeys(kept_proofs.MAKE, kept_proofs),
    **dict.fromkeys(kept_learning.JOBS, kept_learning),
    **dict.fromkeys(kept_reading.JOBS, kept_reading),
    **dict.fromkeys(kept_reward.MAKE, kept_reward),
    **dict.fromkeys(kept_states.MAKE, kept_states),
}
PASSAGES = tuple(kept_passages.NAMES)  # of two sentences each, as SmolLM2 matches them
PLACES = "places"  # numbered, as a denoiser may know them
KEPT = (ANSWERS, *PASSAGES, PLACES, *KEPT_BY)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m utils.checkpoints")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in {
        "list": "what checkpoints there are, what they reach, and whether they are up to date",
        "show": "a checkpoint's card, its recipe, and what has changed since it was made",
        "remake": f"train again; {ANSWERS} asks SmolLM2 again, in ten minutes; "
        f"{', '.join(kept_proofs.MAKE)} read and write real text again, in five each; "
        f"{', '.join([*kept_learning.JOBS, *kept_reading.JOBS])} train many small models, "
        "in ten each",
        "measure": "measure again, without training",
        "accept": "keep the weights although code has changed: trains the first steps and compares",
    }.items():
        command = commands.add_parser(name, help=about, description=about)
        if name != "list":
            command.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(RECIPES)}")
        if name not in ("list", "show"):
            command.add_argument("--all", action="store_true", help="all that have a recipe")
        if name == "accept":
            about = (
                "where only cards are kept, and you saw that other models measure alike, that too"
            )
            command.add_argument("--measured", action="store_true", help=about)
        if name == "remake":
            command.add_argument("--seeds", help="at these, such as 0-49, and not into the book")
            command.add_argument("--folder", type=Path, help="for these (else studies/)")
            command.add_argument("--cluster", help="make these there: tcp://… of a Dask scheduler")
    options = parser.parse_args(arguments)
    if getattr(options, "seeds", None):
        return at_seeds(parser, options)
    if getattr(options, "folder", None) or getattr(options, "cluster", None):
        parser.error("--folder and --cluster are for --seeds, such as --seeds 0-49")
    every = options.command == "list" or getattr(options, "all", False)
    names = list(NAMES) if every else options.names
    allowed = [*NAMES, *(KEPT if options.command in ("remake", "accept") else ())]
    unknown = [name for name in names if name not in allowed]
    if unknown or not names:
        what = f"there is none called {unknown[0]!r}" if unknown else "name a checkpoint"
        parser.error(f"{what}; there are: {', '.join(allowed)}")
    failures, how = 0, {"measured": True} if getattr(options, "measured", False) else {}
    for name in names:
        try:
            COMMANDS[options.command](name, **how)
        except (ValueError, OSError) as error:
            failures += 1
            print(error, file=sys.stderr)
    return int(failures > 0)


def at_seeds(parser, options):
    """remake NAMES --seeds: a line for each as it is done, with an estimate."""
    names = list(RECIPES) if options.all else options.names
    if unknown := [name for name in names if name not in RECIPES]:
        parser.error(f"there is no recipe {unknown[0]!r}; there are: {', '.join(RECIPES)}")
    if not names:
        parser.error(f"name a recipe; there are: {', '.join(RECIPES)}")
    folder, begun = options.folder or study.FOLDER, time.perf_counter()
    done = failures = 0
    try:
        wanted = study.seeds(options.seeds)
        for name, card, left in study.study(
            names, wanted, folder=folder, scheduler=options.cluster
        ):
            done += 1
            failures += isinstance(card, str)
            line = card if isinstance(card, str) else _made(card)
            rest = (time.perf_counter() - begun) / done * left
            print(f"{name:24} {line}; {left} left, about {rest / 60:.0f} min", flush=True)
    except (ValueError, OSError, ClusterError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on where this one was.")
    print(f"{done - failures} made, {failures} failed; all of them are in {folder}")
    return int(failures > 0)


def show(name):
    recipe, _ = recipe_of(name)
    card = asdict(store.read_card(name))
    for names, what in (("made_by", "the weights"), ("measured_by", "the results")):
        pieces = card.pop(names)
        card[names] = f"{len(pieces)} pieces that {what} depend on; they are in {name}.json"
    print(f"{name}: {recipe.about}\n{json.dumps(card, indent=1)}\n\nIts recipe:")
    for setting, value in recipe.made_by(None).items():
        if not setting.startswith("utils."):  # those are the pieces that the settings reach
            print(f"  {setting}: {value}")
    for done, names in making.stale(name).items():
        print(f"Changed since it was {done}: {', '.join(names) or 'nothing'}.")


def remake(name):
    if name in KEPT:
        store.check_folder(kept_answers.DATA)
    if name == ANSWERS:
        return kept_answers.remake()
    if name in PASSAGES:
        return kept_passages.remake(name)
    if name == PLACES:
        return kept_places.remake()
    if name in KEPT:
        return KEPT_BY[name].remake(name)
    print(f"{name}: {recipe_of(name)[0].about}")
    begun = time.perf_counter()
    making.remake(name)
    print(f"{_line(name)}  (in {time.perf_counter() - begun:.0f} s)")


def measure(name):
    making.measure(name)
    print(_line(name))


def accept(name, measured=False):
    if name == ANSWERS:
        kept_answers.accept()
        return print(f"{name:24} accepted: it still answers the first questions as it did")
    if name in PASSAGES:
        kept_passages.accept(name)
        return print(f"{name:24} accepted: it still says the same of the first passages")
    if name == PLACES:
        raise ValueError(f"{PLACES} takes a minute; make it again: remake {PLACES}")
    if name in KEPT:
        KEPT_BY[name].accept(name)
        return print(f"{name:24} accepted: what can be done in seconds comes out the same")
    apart = making.accept(name, measured=measured)
    print(f"{name:24} accepted: the first losses are within {apart:.4f} nats of the card's")


def list_(name):
    print(_line(name))


MOST = 3  # results in a line; `show` has them all
COMMANDS = {"list": list_, "show": show, "remake": remake, "measure": measure, "accept": accept}


def _line(name: str) -> str:
    """One line on a checkpoint."""
    if not (store.FOLDER / f"{name}.json").exists():
        return f"{name:24} not made yet"
    card = store.read_card(name)
    old = [done for done, names in making.stale(name).items() if names]
    note = f"; changed since it was {' and '.join(old)}" if old else ""
    return f"{name:24} {_made(card)}{note}"


def _made(card) -> str:
    results = [f"{key} {value}" for key, value in card.results.items()]
    more = f" and {len(results) - MOST} more" if len(results) > MOST else ""
    found = ", ".join(results[:MOST]) + more
    return f"{card.parameters:9,} parameters, {card.seconds:5.0f} s: {found}"


if __name__ == "__main__":
    run_program(main)
