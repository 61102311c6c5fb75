"""`PETS`: a grammar so small that all there is to know about a model of it can be listed.

Fifty-four sentences of four or five words, such as "a small dog runs .", for `Sentences(PETS)`.
Number and kind of animal decide the verb, so no word can be filled in without looking at the
others.
"""

PETS = {
    "SENTENCE": "6 a MAYBE_ADJ ONE | 4 two MAYBE_ADJ MANY",
    "MAYBE_ADJ": "6 | 3 small | 1 old",
    "ONE": "5 dog DOG_DOES | 3 cat CAT_DOES | 2 bird BIRD_DOES",
    "MANY": "5 dogs DOGS_DO | 3 cats CATS_DO | 2 birds BIRDS_DO",
    "DOG_DOES": "7 runs . | 2 sleeps . | 1 sings .",
    "CAT_DOES": "2 runs . | 7 sleeps . | 1 sings .",
    "BIRD_DOES": "1 runs . | 2 sleeps . | 7 sings .",
    "DOGS_DO": "7 run . | 2 sleep . | 1 sing .",
    "CATS_DO": "2 run . | 7 sleep . | 1 sing .",
    "BIRDS_DO": "1 run . | 2 sleep . | 7 sing .",
}
