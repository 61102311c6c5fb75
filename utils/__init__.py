"""The book's library: a room for each role, a small module for each idea.

Read from top to bottom, each room stands on those above it:

    text          what is written, and the record of its being written
    worlds        languages whose exact probabilities are known
    models        what computes a probability
    training      one loop, what it is fed, what it minimises
    generation    what turns probabilities into a text
    measure       exact probabilities of models, intervals, probes
    experiments   one module for the experiment of a chapter
    checkpoints   weights that are kept, and how each was made
    page          figures, players, knobs, evidence; stands on text alone
"""
