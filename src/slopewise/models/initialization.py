"""Initial weights and biases of a layer, drawn from a separate generator.

torch: nn.Linear's default, weight and bias uniform within ±1/√in.
xavier: weight uniform within ±√(6 / (in + out)), bias 0. Glorot and Bengio, 2010, AISTATS 9, equation 16; for sigmoid
and tanh.
he: weight normal with variance 2 / in, bias 0. He, Zhang, Ren and Sun, 2015, ICCV, equation 10; for relu and similar.
uniform: weight and bias in [0, 1). normal: weight and bias with mean 0 and variance 1. zeros, ones: all 0, all 1.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from slopewise.errors import check_choice

INITS = ("torch", "xavier", "he", "uniform", "normal", "zeros", "ones")


def draw_layer(how: str, shape: tuple[int, int], generator: Generator) -> tuple[Tensor, Tensor]:
    """Return weight (out, in) and bias (out,) of a layer, float32.

    Args:
        how: one of INITS.
        shape: (out, in).
        generator: of the random numbers.

    Raises:
        OptionError: `how` is not known.

    >>> weight, bias = draw_layer("he", (3, 2), torch.Generator().manual_seed(0))
    >>> weight.shape, bias
    (torch.Size([3, 2]), tensor([0., 0., 0.]))
    """
    check_choice("init", how, INITS)
    weight, bias = torch.zeros(shape, dtype=torch.float32), torch.zeros(shape[0], dtype=torch.float32)
    match how:
        case "torch":
            # the same calls as nn.Linear.reset_parameters, so that the values agree bit by bit
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
            bias.uniform_(-1 / math.sqrt(shape[1]), 1 / math.sqrt(shape[1]), generator=generator)
        case "xavier":
            nn.init.xavier_uniform_(weight, generator=generator)
        case "he":
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
        case "uniform":
            weight.uniform_(generator=generator)
            bias.uniform_(generator=generator)
        case "normal":
            weight.normal_(generator=generator)
            bias.normal_(generator=generator)
        case "ones":
            weight, bias = weight + 1, bias + 1
    return weight, bias
