"""Threads of models step back behind all others: a model computes for long, others answer."""

import os
import sys
import threading

#: How far (`nice`, 0 to 19). Model threads keep the processor whenever nobody else wants it.
MODEL_NICENESS = 10


def step_back() -> None:
    """Let this thread, and those that it starts from now on, be served after others.

    On Linux each thread has its own niceness; elsewhere nothing is done. What native libraries
    start inside a call (a pool of OpenVINO, say) is such a thread too.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), MODEL_NICENESS)
