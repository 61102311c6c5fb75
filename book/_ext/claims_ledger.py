"""The page of claims: `{claims-ledger}` shows `book/claims.yml` with the measurements beside it.

The measurements come from the stored outputs of the chapters, so the page says what the notebooks
say. `{claims-ledger} tested` lists the claims that have evidence, `to come` those that wait for a
chapter, and `summary` counts both. A page links to one claim as [words](#claim-narrowing).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from utils.page import claims


class ClaimsLedger(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        listed = claims.load(root / "book" / "claims.yml")
        notebooks = {path.name[:2]: path for path in sorted((root / "chapters").glob("*.ipynb"))}
        evidence = claims.collect(notebooks.values())
        self.env.note_reread()  # the page is made anew whenever the site is
        self.pages = {chapter: f"chapters/{path.stem}" for chapter, path in notebooks.items()}
        self.found = {item.id: item for items in evidence.values() for item in items}
        match self.arguments[0]:
            case "summary":
                return [self.summary(listed)]
            case "tested":
                return [self.card(claim) for claim in listed if claim.tests]
            case "to come":
                return [self.line(claim) for claim in listed if not claim.tests]
        shown = "'summary', 'tested' or 'to come'"
        raise self.error(f"claims-ledger shows {shown}, not {self.arguments[0]!r}")

    def summary(self, listed: tuple[claims.Claim, ...]) -> nodes.Node:
        """How many claims there are, and how the tests of them have ended so far."""
        verdicts = Counter(test.verdict for claim in listed for test in claim.tests)
        ended = [f"{name}: {verdicts[name]}" for name in claims.VERDICTS if verdicts[name]]
        waiting = sum(not claim.tests for claim in listed)
        text = f"Tested so far: {len(listed) - waiting} of {len(listed)} claims "
        return paragraph("claim-summary", text, f"({'; '.join(ended)}).")

    def card(self, claim: claims.Claim) -> nodes.Node:
        """A tested claim, with each test's verdict, measurement and limits."""
        card = self.container(claim, "claim-card")
        card += paragraph("claim-statement", claim.statement)
        card += paragraph("claim-held-by", f"Held by {claim.held_by}.")
        for test in claim.tests:
            card += self.test(test)
        if claim.later:
            card += paragraph("claim-later", "To be tested again: ", *self.places(claim.later), ".")
        return card

    def test(self, test: claims.Experiment) -> nodes.Node:
        item = self.found.get(test.id)
        box = nodes.container(classes=["claim-test"])
        verdict = test.verdict if item else "no evidence yet"
        badge = nodes.inline("", verdict, classes=["verdict", "verdict-" + nodes.make_id(verdict)])
        box += paragraph("claim-verdict", badge, " in ", *self.places([test.chapter]))
        box += paragraph("claim-question", test.question)
        if item:
            value = nodes.strong("", item.measured())
            outcome = f"; needs {item.needs}: {item.outcome()}"
            box += paragraph("claim-value", value, outcome, f" ({item.note})" if item.note else "")
        box += paragraph("claim-measure", nodes.emphasis("", "Measured: "), test.measure + ".")
        box += paragraph("claim-limits", nodes.emphasis("", "What it cannot show: "), test.limits)
        return box

    def line(self, claim: claims.Claim) -> nodes.Node:
        """A claim that waits for its chapter."""
        line = self.container(claim, "claim-awaited")
        line += paragraph("claim-statement", claim.statement)
        places = ["To be tested: ", *self.places(claim.later), "."]
        line += paragraph("claim-held-by", f"Held by {claim.held_by}. ", *places)
        return line

    def container(self, claim: claims.Claim, kind: str) -> nodes.Element:
        box = nodes.container(classes=[kind], names=[f"claim-{claim.id}"])
        self.state.document.note_explicit_target(box)
        return box

    def places(self, chapters: list[str]) -> list[nodes.Node]:
        """`chapter 01, Markov chains`, linked if it is there, or `a chapter on planning`."""
        parts: list[nodes.Node] = []
        for chapter in chapters:
            if parts:
                parts.append(nodes.Text("; "))
            name = f"chapter {chapter}" if chapter.isdigit() else f"a chapter on {chapter}"
            parts.append(nodes.Text(name))
            if chapter in self.pages:
                title = addnodes.pending_xref(
                    "",
                    nodes.inline("", chapter),
                    refdomain="std",
                    reftype="doc",
                    reftarget="/" + self.pages[chapter],
                    refexplicit=False,
                    refwarn=True,
                )
                parts += [nodes.Text(", "), title]
        return parts


def paragraph(kind: str, *content: nodes.Node | str) -> nodes.paragraph:
    """A paragraph of a class, from text and nodes."""
    inside = [nodes.Text(part) if isinstance(part, str) else part for part in content if part]
    return nodes.paragraph("", "", *inside, classes=[kind])


def setup(app: Sphinx) -> dict:
    app.add_directive("claims-ledger", ClaimsLedger)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
