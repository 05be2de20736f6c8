//! Reminder rules in Rhai: sandbox, host API, plugins
