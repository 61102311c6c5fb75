"""The course as nbgrader sees it. Its own commands, started in this folder, read it too."""

import os

c = get_config()  # noqa: F821  (nbgrader gives it)

c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.course_id = "one_token"
if os.environ.get("GRADEBOOK"):  # any SQLAlchemy URL; by default gradebook.db beside this file
    c.CourseDirectory.db_url = os.environ["GRADEBOOK"]

c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("write this")'}
c.ClearSolutions.text_stub = "*Write your answer here.*"

# What students write is shown in the browser of whoever grades it: no scripts of theirs.
c.HTMLExporter.sanitize_html = True

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
