"""What can be wrong with the settings; each error is one line that a person can act on.

SettingsError
├── UnknownSetting       a name that no setting has, with the nearest one that exists
├── ConflictingSetting   one setting given twice in one source, with different values
├── BadSetting           a value that the setting does not allow
└── UnreadableSource     a file that cannot be read or does not have the expected shape
"""


class SettingsError(Exception):
    """The settings do not allow a start; `str()` of it is one line."""


class UnknownSetting(SettingsError):
    """A source names a setting that does not exist."""

    def __init__(self, name: str, source: str, suggestion: str | None) -> None:
        """Keep the unknown `name`, the `source` it stood in and the nearest existing name."""
        self.name, self.source, self.suggestion = name, source, suggestion
        hint = f"did you mean {suggestion}?" if suggestion else "see docs/settings.md"
        super().__init__(f"unknown setting {name} in {source}: {hint}")


class ConflictingSetting(SettingsError):
    """One source gives one setting two different values."""

    def __init__(self, setting: str, source: str, first: str, second: str) -> None:
        """Keep the setting and both givings (`NAME=value`, secrets already masked)."""
        self.setting, self.source, self.first, self.second = setting, source, first, second
        super().__init__(f"{setting} is set twice in {source}: {first} and {second}; keep one")


class BadSetting(SettingsError):
    """A setting has a value that it does not allow."""

    def __init__(self, setting: str, given: str, source: str, allowed: str) -> None:
        """Keep the setting, the given value (already masked), its source and what is allowed."""
        self.setting, self.given, self.source, self.allowed = setting, given, source, allowed
        super().__init__(f"{setting} = {given} ({source}) is not allowed: {allowed}")


class UnreadableSource(SettingsError):
    """A file of settings cannot be read."""

    def __init__(self, source: str, reason: str) -> None:
        """Keep the `source` and one line that says why."""
        self.source, self.reason = source, " ".join(reason.split())
        super().__init__(f"cannot read settings from {source}: {self.reason}")
