"""Which mutants: cosmic-ray's, realistic ones alone, the same number out of every room.

A mutant is drawn by a hash of the line it changes, so that a change elsewhere leaves the sample as it was.
"""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import MutationSpec, WorkItem

ROOT = Path(__file__).parents[2]
ROOMS = ("campaign", "tasks", "tasks/training", "tasks/scoring", "tasks/monitoring", "tasks/replay")
SEED, PER_ROOM = 34, 50

# Compiled by numba: a changed loop may write beyond its arrays, and take the process with it. The tests of their
# modules hold what they compute against NumPy and scikit-learn.
KERNELS = {"walk_trees", "add_shapley_values", "_scan", "_suspect", "_insert", "_digest", "add_terms"}

# What a person types by mistake. cosmic-ray has every other operator for each, most of which no type would survive.
OPERATORS = (
    *(f"core/ReplaceBinaryOperator_{pair}" for pair in (
        "Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_FloorDiv", "Pow_Mul",
        "BitAnd_BitOr", "BitOr_BitAnd",
    )),
    *(f"core/ReplaceComparisonOperator_{pair}" for pair in (
        "Eq_NotEq", "NotEq_Eq", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt",
        "Is_IsNot", "IsNot_Is",
    )),
    *(f"core/ReplaceUnaryOperator_{pair}" for pair in ("USub_UAdd", "Delete_Not", "Delete_Invert")),
    *(f"core/{name}" for name in (
        "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd",
        "ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "NumberReplacer",
        "RemoveDecorator", "ZeroIterationForLoop",
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: str
    operator: str
    # Which of the operator's places in the file, as cosmic-ray counts them.
    occurrence: int
    start: tuple[int, int]
    end: tuple[int, int]
    key: str

    def lines(self) -> tuple[str, str]:
        """What it changes, before and after; the same text twice where cosmic-ray changes nothing."""
        source = (ROOT / self.path).read_text()
        before, after = source.splitlines(), (self.changed() or source).splitlines()
        head = next((n for n, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), 0)
        tail = next((n for n, pair in enumerate(zip(before[::-1], after[::-1], strict=False)) if pair[0] != pair[1]), 0)
        told = [" ".join(" ".join(text[head : len(text) - tail]).split()) for text in (before, after)]
        return told[0], told[1]

    def changed(self) -> str | None:
        """The file with it; None where that is no Python, or names an exception with a dot, which cosmic-ray cannot."""
        try:
            changed: str | None = mutate_code(
                (ROOT / self.path).read_text(), get_operator(self.operator)(), self.occurrence
            )
            compile(changed or "", self.path, "exec")
        except (AttributeError, SyntaxError):
            return None
        return changed

    def work_item(self) -> WorkItem:
        return WorkItem.single(
            self.key, MutationSpec(Path(self.path), self.operator, self.occurrence, self.start, self.end)
        )


@dataclass(frozen=True)
class Equivalent:
    """A mutant that changes nothing that anybody could notice, and why."""

    file: str
    before: str
    after: str
    reason: str


def equivalent_mutants() -> dict[tuple[str, str, str], Equivalent]:
    listed = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text()).get("mutant", [])
    return {(each["file"], each["before"], each["after"]): Equivalent(**each) for each in listed}


def modules_of(room: str) -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / room).glob("*.py"))


def mutants_of(path: str, seed: int = SEED) -> Iterator[Mutant]:
    """All mutants of a file, but for those in kernels and annotations, and of signs between parameters and of `**`
    within a dict, which are no operators."""
    source = (ROOT / path).read_text()
    tree, lines = get_ast(source), source.splitlines()
    nodes, alike = [*ast_nodes(tree)], Counter[str]()
    for name in OPERATORS:
        operator = get_operator(name)()
        places = ((node, *place) for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (node, start, end) in enumerate(places):
            if _is_no_code(node) or KERNELS & {*_definitions_around(node)}:
                continue
            what = f"{path} {ASTQuery(node).get_definition_name()} {name} {lines[start[0] - 1].strip()}"
            alike[what] += 1
            key = hashlib.sha256(f"{seed} {what} {alike[what]}".encode()).hexdigest()
            yield Mutant(path, name, occurrence, start, end, key[:16])


def _definitions_around(node: parso.tree.NodeOrLeaf | None) -> Iterator[str]:
    while node is not None:
        if node.type == "funcdef":
            yield node.name.value
        node = node.parent


def _is_no_code(node: parso.tree.NodeOrLeaf) -> bool:
    around = node.parent.type if node.parent is not None else ""
    if around == "parameters" or (around == "dictorsetmaker" and node.get_code().strip() == "**"):
        return True
    while node.parent is not None:
        place = node.parent.children.index(node)
        if (node.parent.type, place) in (("tfpdef", 2), ("annassign", 1)):
            return True
        if node.parent.type == "funcdef" and node.parent.children[place - 1] == "->":
            return True
        node = node.parent
    return False


def sample_of(room: str, most: int = PER_ROOM, seed: int = SEED) -> tuple[list[Mutant], list[Equivalent]]:
    """`most` mutants of a room, and those that were drawn as well and change nothing."""
    listed, drawn, left_out = equivalent_mutants(), list[Mutant](), list[Equivalent]()
    everything = sorted(
        (mutant for path in modules_of(room) for mutant in mutants_of(path, seed)), key=lambda one: one.key
    )
    for mutant in everything:
        if len(drawn) == most:
            break
        if mutant.changed() is None:
            continue
        if known := listed.get((mutant.path, *mutant.lines())):
            left_out.append(known)
        else:
            drawn.append(mutant)
    return drawn, left_out
