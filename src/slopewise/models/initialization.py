"""Where a layer starts from, drawn from a generator of its own.

torch: nn.Linear's default, weight and bias uniform within ±1/√in.
xavier: weight uniform within ±√(6 / (in + out)), bias 0. Glorot and Bengio, 2010, AISTATS 9, equation 16; for sigmoid
and tanh.
he: weight normal with variance 2 / in, bias 0. He, Zhang, Ren and Sun, 2015, ICCV, equation 10; for relu and its kin.
uniform: weight and bias in [0, 1). normal: weight and bias with mean 0 and variance 1. zeros and ones as they say.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from slopewise.errors import check_choice

INITS = ("torch", "xavier", "he", "uniform", "normal", "zeros", "ones")


def draw_layer(how: str, shape: tuple[int, int], generator: Generator) -> tuple[Tensor, Tensor]:
    """Return weight (out, in) and bias (out,) of a layer, float32.

    Raises:
        OptionError: `how` is not known.
    """
    check_choice("init", how, INITS)
    weight, bias = torch.zeros(shape), torch.zeros(shape[0])
    match how:
        case "torch":
            # the very calls of nn.Linear.reset_parameters, so that the bits agree
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
