"""Which check must catch a broken part."""

CAUGHT = {}


def caught_by(*checks, also=()):
    """The checks that a part must fail; every other check of it must pass, but for those that may fail `also`."""

    def mark(part):
        CAUGHT[part.__name__] = set(checks), set(also)
        part.__doc__ = part.__doc__ or "Broken on purpose, as its name says."
        return part

    return mark
