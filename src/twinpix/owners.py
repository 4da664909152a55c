"""Check who could have written a file: journals, choices and stores must be writable by their user only."""

import os
import stat


def stranger(status: os.stat_result) -> str:
    """Return why another user could have written a file or folder; "" if only the current user could.

    Always "" on Windows, whose access control lists are not read.
    """
    if os.name != "posix":
        return ""
    if status.st_uid != os.geteuid():
        return f"it belongs to another user ({_user(status.st_uid)})"
    if status.st_mode & stat.S_IWOTH:
        return "every user can write to it"
    if status.st_mode & stat.S_IWGRP and not _is_own_group(status.st_gid):
        return f"all users of the group {_group(status.st_gid)} can write to it"
    return ""


def _is_own_group(number: int) -> bool:
    """True for the private group that many systems create for each user."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(number)
    except KeyError:
        return False
    return user.pw_gid == number and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
