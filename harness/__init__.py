"""The harness: specs, generation, judging, running. It imports no runtime."""
