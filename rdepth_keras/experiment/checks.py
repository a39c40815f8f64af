"""Settings that cannot be are refused by the name of their flag."""


def check(name: str, value: object, good: bool, expected: str) -> None:
    """Raises ValueError for a bad setting, naming it as its flag does."""
    if not good:
        raise ValueError(f"--{name.replace('_', '-')} must be {expected}; received {value}.")
