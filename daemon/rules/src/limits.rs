//! What one evaluation of a rule may use, and a rule as such. Each limit is a key of `[rules.limits]`.

use std::time::Duration;

/// Limits of one evaluation. The defaults are far above what a rule of a few dozen lines needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Operations: statements, calls and expressions evaluated.
    pub operations: u64,
    /// Wall time. Measured by the monotonic clock, and only to end a script: nothing a rule sees depends on it.
    pub deadline: Duration,
    /// Bytes held in all, where the counting allocator is installed.
    pub memory: u64,
    /// Bytes of the thread's stack; the thread needs as much again for what runs between two operations.
    pub stack: usize,
    /// Function calls within calls.
    pub call_levels: usize,
    /// Expressions within expressions.
    pub expression_depth: usize,
    /// Bytes of one string.
    pub string_bytes: usize,
    /// Elements of one array, those of arrays within it included.
    pub array_elements: usize,
    /// Entries of one map, those of maps within it included.
    pub map_entries: usize,
    /// Variables in sight at once.
    pub variables: usize,
    /// Functions of one file.
    pub functions: usize,
    /// Bytes of one file.
    pub source_bytes: usize,
    /// Reminders raised by one evaluation.
    pub findings: usize,
    /// Characters of one reminder's text.
    pub text_chars: usize,
    /// Values that a rule remembers.
    pub memory_keys: usize,
    /// Bytes of all that a rule remembers.
    pub memory_bytes: usize,
    /// Actions asked for by one evaluation.
    pub actions: usize,
    /// Times that `schedule()` may give.
    pub schedules: usize,
    /// Elements of all lists and maps of one constant: each use of it is a copy.
    pub constant_elements: usize,
    /// Modules that one rule imports, those of its modules included.
    pub modules: usize,
    /// Modules within modules.
    pub module_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 100_000,
            deadline: Duration::from_millis(500),
            memory: 8 << 20,
            stack: 768 << 10,
            call_levels: 16,
            expression_depth: 32,
            string_bytes: 4_096,
            array_elements: 500,
            map_entries: 250,
            variables: 100,
            functions: 64,
            source_bytes: 64 << 10,
            findings: 32,
            text_chars: 1_000,
            memory_keys: 64,
            memory_bytes: 4_096,
            actions: 8,
            schedules: 16,
            constant_elements: 64,
            modules: 16,
            module_depth: 4,
        }
    }
}

/// Which key of the configuration a limit is, for hints.
pub(crate) fn limit(key: &str) -> String {
    format!("the limit is `{key}` in [rules.limits]")
}

/// A count of bytes as limits are configured.
pub(crate) fn in_units(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

impl Limits {
    /// Each limit by its key in `[rules.limits]`, with its value and what it bounds.
    pub(crate) fn described(&self) -> Vec<(&'static str, String, &'static str)> {
        // Taken apart, so that a new one cannot be left out.
        let Self {
            operations,
            deadline,
            memory,
            stack,
            call_levels,
            expression_depth,
            string_bytes,
            array_elements,
            map_entries,
            variables,
            functions,
            source_bytes,
            findings,
            text_chars,
            memory_keys,
            memory_bytes,
            actions,
            schedules,
            constant_elements,
            modules,
            module_depth,
        } = self;
        let count = |number: &usize| number.to_string();
        let memory = usize::try_from(*memory).unwrap_or(usize::MAX);
        vec![
            ("operations", operations.to_string(), "Statements, calls and expressions of one evaluation."),
            ("time", format!("{}ms", deadline.as_millis()), "Time of one evaluation."),
            ("memory", in_units(memory), "Memory held by one evaluation."),
            ("stack", in_units(*stack), "Stack of one evaluation."),
            ("calls", count(call_levels), "Calls within calls."),
            ("nesting", count(expression_depth), "Expressions within expressions."),
            ("text", in_units(*string_bytes), "One string."),
            ("items", count(array_elements), "Elements of one list, those of lists in it included."),
            ("entries", count(map_entries), "Entries of one map, those of maps in it included."),
            ("variables", count(variables), "Variables in sight at once."),
            ("functions", count(functions), "Functions of one file."),
            ("file", in_units(*source_bytes), "One file."),
            ("reminders", count(findings), "Reminders raised by one evaluation."),
            ("reminder_text", count(text_chars), "Characters of one reminder's text; longer ones are cut."),
            ("remembered", count(memory_keys), "Values that a rule remembers."),
            ("remembered_bytes", in_units(*memory_bytes), "All that a rule remembers."),
            ("actions", count(actions), "Actions asked for by one evaluation."),
            ("schedules", count(schedules), "Times that `schedule()` may give."),
            ("constant_items", count(constant_elements), "Elements of all lists and maps of one constant."),
            ("modules", count(modules), "Modules that a rule imports, those of its modules included."),
            ("module_depth", count(module_depth), "Modules within modules."),
        ]
    }
}
