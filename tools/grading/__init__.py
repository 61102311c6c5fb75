"""Grading a class: release, grade, feedback, export. Start reading at `grade.py`.

    collect      what a learning platform gives out, sorted by student; `roster` knows them
    submissions  what students handed in, a folder or one of `zips`, read without trusting it;
                 `strays` is what nobody reads
    rebuild      the teacher's notebook with the student's answers in their places
    sandbox      where it runs, made by `bubblewrap`; `inside/` is what runs there, and is all that
                 it sees of this folder
    cluster      the same on other machines
    outcome      what came out, as people read it; `scores`, into nbgrader's gradebook
    release feedback export   the rest of a term; `course` knows where things are
    statistics similarity     what the class did not understand; whose work is alike

nbgrader keeps the gradebook, the pages for grading by hand, the feedback and the table of grades.
Running and judging is our own: there a student's code would run with the teacher's rights, and in a
process with the tests. See `inside/run.py`, and book/grading.md for what is not done.
"""
