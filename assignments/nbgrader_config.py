"""The course as nbgrader sees it. Its own commands, started in this folder, read it too."""

import html
import os

import bleach
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from sqlalchemy import URL

c = get_config()  # noqa: F821  (nbgrader gives it)

c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.course_id = "one_token"
# Any SQLAlchemy URL; by default gradebook.db beside this file, whatever the folder's name holds.
own = URL.create("sqlite", database=os.path.join(c.CourseDirectory.root, "gradebook.db"))
c.CourseDirectory.db_url = os.environ.get("GRADEBOOK") or own.render_as_string()

c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("write this")'}
c.ClearSolutions.text_stub = "*Write your answer here.*"

# What students write is shown in the browser of whoever grades it: no scripts of theirs, and no
# pictures that a server elsewhere would see being looked at. nbgrader's pages do not ask for this.
TAGS = "a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i li ol p pre s span strong"
TAGS += " sub sup table tbody td th thead tr ul"


class Plain(IPythonRenderer):
    """Code in an answer has no colours: a student names the language, and some take for ever."""

    def block_code(self, code, info=None):
        return f"<pre><code>{html.escape(code)}</code></pre>\n"


def safe_html(markdown):
    shown = MarkdownWithMath(renderer=Plain(escape=False)).render(markdown)
    allowed = {"a": ["href", "title"]}  # Formgrader finds its buttons and fields by class and id
    return bleach.clean(shown, tags=TAGS.split(), attributes=allowed, strip=True)


def coloured(source, **how):
    """Code, in colours as Python if it is not long: in empty lines they take the square of them."""
    if len(source) > 5000:
        return f'<div class="highlight"><pre>{html.escape(source)}</pre></div>'
    return Highlight2HTML(pygments_lexer="python3")(source, **how)


c.HTMLExporter.filters = {"markdown2html": safe_html, "highlight_code": coloured}

# Feedback shows which hidden tests failed and what they said, not their code.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]


def refuse(**_):
    raise SystemExit(
        "nbgrader's own autograding would run students' code with your rights: use `make grade`."
    )


c.Autograde.pre_convert_hook = refuse
