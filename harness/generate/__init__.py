"""Generation: structure first, then values; every case is rebuilt from its id alone."""
