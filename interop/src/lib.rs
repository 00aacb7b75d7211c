//! Nothing: all of this package is tests, of the workspace's crates against implementations by others.
