"""How precisely a model computes: in float32 as it is made, or after `model.double()`, `.half()` or
`.bfloat16()` in 64 or 16 bits.

A weight or a key is good enough in 16 bits. A sum of squares overflows in float16, and a draw
among a thousand tokens is not fair in bfloat16, which has eight binary digits. So there, and for
logits, numbers are widened first. In float32 and float64 nothing changes.
"""


def widened(numbers):
    """The tensor itself if its numbers have 32 bits or more, else the same in float32."""
    return numbers.float() if numbers.element_size() < 4 else numbers
