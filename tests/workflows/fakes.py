"""Stand-ins for the ports: a store in memory, a progress bar that counts."""

import json

from anagen.store.measurements import measurement_key


class MemoryStore:
    def __init__(self):
        self.kept = {}

    def get(self, provenance):
        text = self.kept.get(measurement_key(provenance))
        return None if text is None else json.loads(text)

    def put(self, provenance, result):
        self.kept.setdefault(measurement_key(provenance), json.dumps(result))

    def close(self):
        pass


class CountingProgress:
    def __init__(self):
        self.stages = []
        self.n_steps = 0

    def start(self, what, n_total):
        self.stages.append((what, n_total))

    def step(self):
        self.n_steps += 1

    def finish(self):
        pass
