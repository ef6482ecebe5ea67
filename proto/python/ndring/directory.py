"""The ring directory and the files in it, reached through its descriptor so that
nobody can swap it under its path."""

import errno
import os
import stat
from typing import Dict, Optional, Type, Union

from .errors import DirError, FileError, NdringError, NoSpaceError

#: A ring directory; None is default_dir().
Path = Union[str, os.PathLike[str], None]

_REFUSALS: Dict[int, Type[NdringError]] = {
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR), DirError),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), NoSpaceError),
}
SEGMENT, TABLE, SOCKET, LOCK = ".ring", ".readers", ".sock", ".lock"


def default_dir() -> str:
    """$NDRING_DIR, or ndring-<uid> in /dev/shm."""
    return os.environ.get("NDRING_DIR") or "/dev/shm/ndring-%d" % os.geteuid()


def _folder(path: Path) -> str:
    if path is None or isinstance(path, str) and not path:
        return default_dir()
    try:
        return os.fsdecode(path)
    except (TypeError, ValueError):
        raise TypeError("dir %r; use a path" % (path,)) from None


class Directory:
    """An open and checked ring directory. A missing one raises FileNotFoundError
    unless create is set; one that others can write to raises DirError."""

    def __init__(self, path: Path = None, create: bool = False) -> None:
        self.fd = -1
        self.path = os.path.normpath(_folder(path))
        if create:
            try:
                os.mkdir(self.path, 0o700)
            except FileExistsError:
                pass
            except OSError as e:
                raise DirError("create ring directory %r: %s" % (self.path, e.strerror)) from e
        try:
            self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as e:
            raise DirError("open ring directory %r: %s; name a directory, no link" % (self.path, e.strerror)) from e
        self._check()

    def _check(self) -> None:
        st = os.fstat(self.fd)
        why = None
        if st.st_uid != os.geteuid():
            why = "belongs to uid %d, this process runs as uid %d; set NDRING_DIR to a directory of your own" % (st.st_uid, os.geteuid())
        elif st.st_mode & 0o022:
            why = "has mode %04o, others can write to it; chmod 700 it" % (st.st_mode & 0o7777)
        if why:
            self.close()
            raise DirError("ring directory %r %s" % (self.path, why))

    def refuses(self, what: str, e: OSError) -> Exception:
        """The error for a file that cannot be made or named here."""
        kind = _REFUSALS.get(e.errno or 0)
        return e if kind is None else kind("%s in %r: %s" % (what, self.path, e.strerror))

    def open(self, name: str, flags: int) -> int:
        """Opens a file of the directory; never follows a link, and never waits for the
        other end of a pipe in its place."""
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=self.fd)

    def remove(self, *names: str) -> None:
        """Unlinks files; one that is not there is no error."""
        for name in names:
            try:
                os.unlink(name, dir_fd=self.fd)
            except FileNotFoundError:
                pass

    def inode(self, name: str) -> Optional[os.stat_result]:
        """What the name leads to, or None."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def through(self, name: str) -> str:
        """A path short enough for a socket address."""
        return "/proc/self/fd/%d/%s" % (self.fd, name)

    def close(self) -> None:
        """Closes the directory; closing again does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> "Directory":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def check_file(fd: int, what: str) -> int:
    """The size of a file that can be a ring's: regular, this user's, of one name at
    most, closed to others. Raises FileError."""
    st = os.fstat(fd)
    if not stat.S_ISREG(st.st_mode):
        raise FileError("%s is not a regular file (mode %#o)" % (what, st.st_mode))
    if st.st_uid != os.geteuid():
        raise FileError("%s belongs to uid %d, this process runs as uid %d" % (what, st.st_uid, os.geteuid()))
    if st.st_nlink > 1:
        raise FileError("%s has %d names, one is allowed" % (what, st.st_nlink))
    if st.st_mode & 0o022:
        raise FileError("%s has mode %04o, others can write to it" % (what, st.st_mode & 0o7777))
    return st.st_size
