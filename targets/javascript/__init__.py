"""JavaScript as a place to run: Node and headless Chromium, npm packages of a runtime, and the wire in JavaScript."""
