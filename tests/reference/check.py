"""One way to refuse: a condition that must hold, with the reason when it does not."""


class CheckFailed(Exception):
    """An input outside the protocol's bounds, or a value that does not verify."""


def require(condition, reason):
    """Raises `CheckFailed(reason)` unless `condition` holds (unlike `assert`, also under `python -O`)."""
    if not condition:
        raise CheckFailed(reason)
