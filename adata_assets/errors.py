"""The one family of errors that a user can mend; nothing that is a defect of this package."""

from __future__ import annotations


class InputError(ValueError):
    """Something that was given cannot be used as it is.

    The message names what was found, where it stands (file, column, field) and the way out.
    """
