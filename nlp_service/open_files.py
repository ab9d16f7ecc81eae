"""How many files, and so connections, a process may have open."""


def allow_connections() -> None:
    """As many open files as may be had without rights: shells give 1,024, and every connection is one."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
