"""How the numbers of a transformer are computed: as fast as the memory delivers, and wide enough.

A model computes in float32 as it is made, or in 64 or 16 bits after `model.double()`, `.half()` or
`.bfloat16()`. A weight or a key is good enough in 16 bits. But a sum of squares overflows in
float16, and a draw among a thousand tokens is not fair in bfloat16, which has eight binary digits.
So there, and for logits, numbers are widened first. In float32 and float64 nothing changes.
"""

import torch


def threaded_matmul(x, weight):
    """x @ weight, for x (batch, length, in) and weight (in, out), on all threads.

    When x has few rows, all the time goes into reading the weight from memory. One core cannot
    read as fast as the memory can deliver, yet one core is all that such a product is given. So a
    large weight is cut into blocks of rows, one for each thread, and their shares are added up.
    """
    if not isinstance(weight, torch.Tensor) or weight.numel() < 2**18:
        return x @ weight  # one that brings a product of its own, or a small one
    threads, (d_in, d_out) = torch.get_num_threads(), weight.shape
    rows = x.numel() // d_in
    if rows > 16 or d_in % threads or x.device.type != "cpu":
        return x @ weight
    shares = x.reshape(rows, threads, -1).transpose(0, 1) @ weight.view(threads, -1, d_out)
    return shares.sum(0).view(*x.shape[:-1], d_out)


def widened(numbers):
    """The tensor itself if its numbers have 32 bits or more, else the same in float32."""
    return numbers.float() if numbers.element_size() < 4 else numbers
