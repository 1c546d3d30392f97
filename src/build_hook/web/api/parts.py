"""What the calls of the API work with."""

import threading

from build_hook import holds, orders, settings
from build_hook.store import archive, builds, counts, session, tokens
from build_hook.web import catalogue, links

# A git host waits for ten seconds in all; nobody else should have to wait longer for a lock.
PATIENCE = 4.0


class Parts:
    """The collaborators; the database is opened when it is first needed, after the fork."""

    def __init__(
        self, options: settings.Settings, projects: catalogue.Catalogue, link: links.Links
    ) -> None:
        self.options = options
        self.projects = projects
        self.link = link
        self._lock = threading.Lock()
        self._stores: _Stores | None = None

    @property
    def builds(self) -> builds.Builds:
        """The builds."""
        return self._open().builds

    @property
    def archive(self) -> archive.Archive:
        """The deliveries."""
        return archive.Archive(self._open().session)

    @property
    def counts(self) -> list[counts.Count]:
        """How often what has happened."""
        return counts.read(self._open().session)

    @property
    def tokens(self) -> tokens.Tokens:
        """Who may do what."""
        return tokens.Tokens(self._open().session)

    @property
    def orders(self) -> orders.Orders:
        """What people ask for."""
        return orders.Orders(self.builds, self.options.run, self.holds.why)

    @property
    def holds(self) -> holds.Holds:
        """What holds projects now."""
        return holds.now(self.options, self.builds)

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._stores is not None:
                self._stores.close()
                self._stores = None

    def _open(self) -> "_Stores":
        with self._lock:
            if self._stores is None:
                self._stores = _Stores(self.options)
            return self._stores


class _Stores:
    def __init__(self, options: settings.Settings) -> None:
        self.session = session.Session(options.database, patience=PATIENCE)
        self.builds = builds.Builds(options.database, patience=PATIENCE)

    def close(self) -> None:
        self.session.close()
        self.builds.close()
