"""Extractors that decode in other processes than the one of their network."""

import copy
import pickle


def assert_it_can_be_sent(extractor):
    """Check that an extractor without its network can be sent to another process, and is small."""
    shell = copy.copy(extractor)
    shell.compute = None
    sent = pickle.dumps(shell)
    assert len(sent) < 200_000  # Not the weights.
    assert pickle.loads(sent).stamp() == extractor.stamp()
