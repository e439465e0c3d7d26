"""A machine in memory that can be killed at every effect; tests import :class:`fakes.host.FakeWorld`."""
