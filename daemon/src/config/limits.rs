//! `[rules.limits]`: what one evaluation of a rule may use.

use simbell_core::bytes::Bytes;
use simbell_rules::Limits;

use super::duration::Length;
use super::numbers::{bytes, length_within, number};
use super::section::{Report, Section};

/// Every limit of the sandbox by its key; what is not given stays as it is by default.
pub(super) fn read(section: &mut Section<'_>, report: &mut Report<'_>) -> Limits {
    let mut reader = Reader { section, report };
    let usual = Limits::default();
    // Each by its name, so that a limit without a key does not compile.
    Limits {
        operations: reader
            .number("operations", 1_000_000_000)
            .and_then(|n| n.try_into().ok())
            .unwrap_or(usual.operations),
        deadline: reader.time("time").map_or(usual.deadline, Length::to_duration),
        memory: reader.size("memory", 1_000, 256_000_000).unwrap_or(usual.memory),
        // The threads that rules run on have 2 MiB, of which what runs between two operations needs as much again.
        stack: whole(reader.size("stack", 64_000, 1 << 20), usual.stack),
        call_levels: reader.number("calls", 1_000).unwrap_or(usual.call_levels),
        // A file is read by recursion before anything could measure the stack.
        expression_depth: reader.number("nesting", 64).unwrap_or(usual.expression_depth),
        string_bytes: whole(reader.size("text", 100, 16_000_000), usual.string_bytes),
        array_elements: reader.number("items", 1_000_000).unwrap_or(usual.array_elements),
        map_entries: reader.number("entries", 1_000_000).unwrap_or(usual.map_entries),
        variables: reader.number("variables", 10_000).unwrap_or(usual.variables),
        functions: reader.number("functions", 10_000).unwrap_or(usual.functions),
        source_bytes: whole(reader.size("file", 100, 16_000_000), usual.source_bytes),
        findings: reader.number("reminders", 1_000).unwrap_or(usual.findings),
        text_chars: reader.number("reminder_text", 10_000).unwrap_or(usual.text_chars),
        memory_keys: reader.number("remembered", 10_000).unwrap_or(usual.memory_keys),
        memory_bytes: whole(reader.size("remembered_bytes", 100, 1_000_000), usual.memory_bytes),
        actions: reader.number("actions", 100).unwrap_or(usual.actions),
        schedules: reader.number("schedules", 1_000).unwrap_or(usual.schedules),
        constant_elements: reader.number("constant_items", 100_000).unwrap_or(usual.constant_elements),
        modules: reader.number("modules", 1_000).unwrap_or(usual.modules),
        // Modules within modules are read by recursion.
        module_depth: reader.number("module_depth", 8).unwrap_or(usual.module_depth),
    }
}

struct Reader<'a, 's, 'r, 'p> {
    section: &'a mut Section<'s>,
    report: &'r mut Report<'p>,
}

impl Reader<'_, '_, '_, '_> {
    /// From 1 to `most`.
    fn number(&mut self, key: &'static str, most: u32) -> Option<usize> {
        let field = self.section.get(key)?;
        number(&field, 1, most, self.report).and_then(|number| number.try_into().ok())
    }

    fn size(&mut self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let field = self.section.get(key)?;
        bytes(&field, Bytes(least), Bytes(most), self.report).map(Bytes::get)
    }

    fn time(&mut self, key: &'static str) -> Option<Length> {
        let field = self.section.get(key)?;
        length_within(&field, Length::from_millis(10), Length::from_secs(60), self.report)
    }
}

fn whole(bytes: Option<u64>, otherwise: usize) -> usize {
    bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or(otherwise)
}
