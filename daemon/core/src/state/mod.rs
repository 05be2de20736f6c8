//! The state and its one entry point, `step`.
