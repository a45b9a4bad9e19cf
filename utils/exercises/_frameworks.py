"""A learner's function of tensors, called by a check that knows arrays alone."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


def tensorflow() -> Any:
    """TensorFlow as it is: to seed it again in a child process would end that process."""
    from utils.runtime import import_tensorflow

    return sys.modules.get("tensorflow") or import_tensorflow()


@contextmanager
def in_a_child(tf: Any) -> Iterator[None]:
    """TensorFlow as a child process can run it: on the CPU, without graphs and their threads."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        with tf.device("CPU:0"):
            yield
    finally:
        tf.config.run_functions_eagerly(before)


class OnTensors:
    """A function of tensors that is called with arrays.

    Args:
        function: of tensors.
        convert: makes a tensor of an array.
        context: makes what surrounds each call.

    """

    def __init__(
        self,
        function: Callable,
        convert: Callable[[np.ndarray], Any],
        context: Callable[[], AbstractContextManager] = nullcontext,
    ) -> None:
        self.__wrapped__, self._convert, self._context = function, convert, context

    def __call__(self, *args: Any) -> Any:
        """The function's result for these arguments, each array among them as a tensor."""
        with self._context():
            return self.__wrapped__(
                *(self._convert(a) if isinstance(a, np.ndarray) else a for a in args)
            )
