"""An open object of a store, for readers that know nothing of stores: zipfile, tarfile and pyarrow."""

import io
import os
from collections.abc import Callable
from typing import Any


class StoreFile(io.RawIOBase):
    """An open object of a store: reads are repeated after errors that may pass, and other errors are `ImageError`."""

    def __init__(self, file: Any, repeated: Callable[[Any, Callable[[], bytes]], bytes]) -> None:
        super().__init__()
        self._file, self._repeated = file, repeated

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        at: int = self._file.tell()
        return at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        at: int = self._file.seek(offset, whence)
        return at

    def read(self, size: int | None = -1, /) -> bytes:
        at = self._file.tell()

        def again() -> bytes:
            self._file.seek(at)
            data: bytes = self._file.read(-1 if size is None else size)
            return data

        return self._repeated(self._file.fs, again)

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
