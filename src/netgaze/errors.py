"""What a person can mend, said in a sentence or two."""


class NetgazeError(Exception):
    """A mistake or a lack that the person at the keyboard can mend.

    The message says what is wrong, where, and what to do. The command line prints it without a traceback and
    exits with code 1; `NETGAZE_DEBUG=1` shows the traceback as well.
    """
