"""Functions that runner tests send to other processes."""

import os


def square(x):
    return x * x


def die_on_three(x):
    if x == 3:
        os._exit(9)
    return x
