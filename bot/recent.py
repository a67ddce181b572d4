"""A small memory of the recent past: what was learnt or seen, for so long and no longer."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Keeps at most `capacity` values, each for `lifetime` seconds. Safe between threads."""

    def __init__(
        self, lifetime: float, capacity: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lifetime = lifetime
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[float, Value]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Return what was kept under the key, if that was not too long ago."""
        with self._lock:
            self._forget()
            kept = self._kept.get(key)
        return None if kept is None else kept[1]

    def put(self, key: Key, value: Value) -> None:
        """Keep a value from now on."""
        with self._lock:
            self._put(key, value)

    def claim(self, keys: tuple[Key, ...], value: Value) -> bool:
        """Keep a value under each key and return True, unless one of them is kept already."""
        with self._lock:
            self._forget()
            if any(key in self._kept for key in keys):
                return False
            for key in keys:
                self._put(key, value)
            return True

    def _put(self, key: Key, value: Value) -> None:
        self._kept.pop(key, None)
        self._kept[key] = (self._clock(), value)
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)

    def _forget(self) -> None:
        oldest = self._clock() - self._lifetime
        while self._kept and next(iter(self._kept.values()))[0] <= oldest:
            self._kept.popitem(last=False)
